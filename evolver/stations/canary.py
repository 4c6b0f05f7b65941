"""judged -> canary: one at a time per policy, the most promising first, in mode `approve` after an operator's yes."""

from dataclasses import asdict

from evolver.context import Context
from evolver.replay import weights_of
from evolver.stations.base import Move, wait
from policies.registry.operations import start_canary
from policies.registry.values import Candidate


class CanaryStart:
    """Opens the experiment and gives the candidate its share."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Start, or say what it waits for."""
        policy = context.policy(candidate.policy)
        mode = context.mode(candidate.policy)
        if policy is None or mode == "observe":
            return wait(candidate, "waits: the policy's mode is observe")
        if mode == "approve" and not _approved(candidate):
            asked = wait(candidate, f"waits for `evogate approve {candidate.id}`: its canary")
            if asked is not None:
                detail = {"candidate": candidate.id, "step": "canary", "layer": candidate.layer}
                context.webhook.send("approval", candidate.policy, context.now, detail)
            return asked
        live = await context.registry.candidates(candidate.policy, live=True)
        if any(other.state in ("canary", "promoted") for other in live):
            return wait(candidate, "waits for its turn: another candidate is in canary or not confirmed yet")
        ready = [other for other in live if other.state == "judged" and (mode == "auto" or _approved(other))]
        if max(ready, key=promise).id != candidate.id:
            return wait(candidate, "waits for its turn: another one promises more")
        frozen = {"weights": asdict(weights_of(policy)), "budgets": policy.budgets.model_dump()}
        # What reward means must not change while it is being compared: it is written down before the first unit.
        noted = await context.registry.advance(
            candidate, None, who="evolver", reason="", now=context.now, station="canary", measured=frozen
        )
        await start_canary(
            context.registry, noted, who="evolver", reason="serves its share", counted=True, now=context.now
        )
        return None


def promise(candidate: Candidate) -> float:
    """What shadow and judge let hope for: the gain in reward, and how much better the judge liked the answers.

    It decides nothing but the order of the queue.
    """
    gain = candidate.stations.get("shadow", {}).get("quality", {}).get("estimate", 0.0)
    preferences = candidate.stations.get("judge", {}).get("preferences", [])
    return float(gain + (sum(preferences) / len(preferences) if preferences else 0.0))


def _approved(candidate: Candidate) -> bool:
    return "canary" in candidate.stations.get("approval", {})
