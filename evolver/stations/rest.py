"""canary -> judged: a candidate that gives way to one that is expected to gain far more (see `turns`)."""

from typing import Any

from config.policy import Policy
from evolver.context import Context
from evolver.stations.turns import ENOUGH, expected, gives_way, posterior, promise
from policies.evidence import threshold
from policies.registry.values import Candidate, Experiment
from policies.verification.elond import promotions_before


async def gave_way(
    candidate: Candidate, experiment: Experiment, measured: dict[str, Any], policy: Policy, context: Context
) -> bool:
    """Whether it went back into the queue: at most once, so that two never take turns for ever.

    Its comparison ends without a verdict, and what it measured stays on its record.
    """
    rested = candidate.stations.get("canary", {}).get("rests", 0)
    if experiment.ordinal == 0 or rested or min(measured["units"]) < ENOUGH:
        return False
    best = await _best_waiting(candidate, policy, context)
    if best is None or expected(best) < policy.promotion.min_gain:
        return False
    past = await context.registry.experiments(candidate.policy)
    following = 1 + max(e.ordinal for e in past)
    yields = gives_way(
        sum(posterior(promise(candidate), measured)),
        expected(best),
        e_value=measured["e_value"],
        needed=measured["threshold"],
        next_needed=threshold(following, promotions_before(experiment, past), policy.promotion.fdr),
    )
    if yields:
        await _rest(candidate, experiment, best, measured, context)
    return yields


async def _best_waiting(candidate: Candidate, policy: Policy, context: Context) -> Candidate | None:
    live = await context.registry.candidates(candidate.policy, live=True)
    rivals = [c for c in live if c.state == "judged" and (not policy.promotion.factorial or c.layer == candidate.layer)]
    ready = [c for c in rivals if context.mode(c.policy) == "auto" or "canary" in c.stations.get("approval", {})]
    return max(ready, key=expected, default=None)


async def _rest(
    candidate: Candidate, experiment: Experiment, better: Candidate, measured: dict[str, Any], context: Context
) -> None:
    """In this order: cut off anywhere, it goes on where it stood or starts again with the comparison that it had."""
    registry, who, now = context.registry, "evolver", context.now
    reason = f"gave way to {better.id}, which is expected to gain {expected(better):.2f}"
    rests = {**candidate.stations.get("canary", {}), "rests": 1}
    noted = await registry.advance(candidate, None, who=who, reason="", now=now, station="canary", measured=rests)
    await registry.advance(noted, "rest", who=who, reason=reason, now=now, station="promotion", measured=measured)
    await registry.close_experiment(experiment.id, "INCONCLUSIVE", measured, now=now)
