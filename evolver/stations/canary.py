"""judged -> canary: one at a time, the most promising first, in mode `approve` after an operator's yes.

One at a time in the whole policy, or with `promotion.factorial` in each layer (see `policies.factorial`).
"""

from dataclasses import asdict

from config.settings import Policy
from evolver.context import Context
from evolver.replay import weights_of
from evolver.stations.base import Move, wait
from policies.registry.operations import start_canary
from policies.registry.values import Candidate

GAINS = 0.05**2  # the variance of true gains: what the judge likes is shrunk by it
UNSEEN = (10, 0.5)  # pairs, and their variance, that the scatter of the judge's preferences is mixed with


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
        if max(ready, key=promise).id != candidate.id:
            return wait(candidate, "waits for its turn: another one promises more")
        if _waits_for_better(candidate, policy, context):
            return wait(candidate, "promises little: waits a while for a better one")
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
    """The gain in reward that shadow and judge let hope for; it decides nothing but the order of the queue.

    Where users were given the very same content before, what they made of it counts instead of the shadow's estimate.
    The judge's liking is shrunk towards nothing: of a few dozen pairs it is mostly noise, and a candidate that passed
    at its first look was lucky more often than not.
    """
    gain = candidate.stations.get("log", {}).get("gain")
    if gain is None:
        gain = candidate.stations.get("shadow", {}).get("quality", {}).get("estimate", 0.0)
    return float(gain) + _liking(candidate.stations.get("judge", {}).get("preferences", []))


def _liking(preferences: list[float]) -> float:
    """The mean preference (-1..1), shrunk by how much it scatters: the posterior mean under normal gains."""
    n, (unseen, spread) = len(preferences), UNSEEN
    mean = sum(preferences) / max(n, 1)
    variance = (sum((one - mean) ** 2 for one in preferences) + unseen * spread) / (n + unseen)
    return mean * n / (n + variance / GAINS)


def _waits_for_better(candidate: Candidate, policy: Policy, context: Context) -> bool:
    """Each canary makes the next proof harder (e-LOND): one without promise lets others come first for a while."""
    if "shadow" not in candidate.stations or promise(candidate) >= policy.promotion.min_gain:
        return False
    return context.now - candidate.state_since < policy.shadow.horizon_s / 6


def _approved(candidate: Candidate) -> bool:
    return "canary" in candidate.stations.get("approval", {})
