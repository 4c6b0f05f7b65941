"""judged -> canary: one at a time, the most promising first, in mode `approve` after an operator's yes.

One at a time in the whole policy, or with `promotion.factorial` in each layer (see `policies.factorial`).
"""

from dataclasses import asdict

from config.policy import Policy
from evolver.context import Context
from evolver.replay import weights_of
from evolver.stations.base import Move, wait
from evolver.stations.turns import expected
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
        rivals = [other for other in live if not policy.promotion.factorial or other.layer == candidate.layer]
        if any(other.state == "canary" for other in rivals):
            return wait(candidate, "waits for its turn: another candidate is in canary")
        ready = [other for other in rivals if other.state == "judged" and (mode == "auto" or _approved(other))]
        if max(ready, key=expected).id != candidate.id:
            return wait(candidate, "waits for its turn: another one promises more")
        if _waits_for_better(candidate, policy, context):
            return wait(candidate, "promises little: waits a while for a better one")
        # What reward means must not change while it is being compared: it is written down before the first unit, and
        # holds for a second turn, too.
        frozen = {"weights": asdict(weights_of(policy)), "budgets": policy.budgets.model_dump()}
        frozen |= candidate.stations.get("canary", {})
        noted = await context.registry.advance(
            candidate, None, who="evolver", reason="", now=context.now, station="canary", measured=frozen
        )
        await start_canary(
            context.registry, noted, who="evolver", reason="serves its share", counted=True, now=context.now
        )
        return None


def _waits_for_better(candidate: Candidate, policy: Policy, context: Context) -> bool:
    """Each canary makes the next proof harder (e-LOND): one without promise lets others come first for a while."""
    if "shadow" not in candidate.stations or expected(candidate) >= policy.promotion.min_gain:
        return False
    return context.now - candidate.state_since < policy.shadow.horizon_s / 6


def _approved(candidate: Candidate) -> bool:
    return "canary" in candidate.stations.get("approval", {})
