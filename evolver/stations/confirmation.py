"""promoted -> confirmed: a comparison period has passed without an alarm (the watch rolls back where there is one)."""

from evolver.context import Context
from evolver.stations.base import Move
from evolver.stations.deploy import holdback_experiment
from policies.registry.values import Candidate


class Confirmation:
    """Ends the holdback that was set at the promotion."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Confirm after the breaker's window."""
        policy = context.policy(candidate.policy)
        if policy is None or context.now - candidate.state_since < policy.breaker.window_s:
            return None
        label = str(candidate.stations.get("promotion", {}).get("version", ""))
        ours = holdback_experiment(candidate.policy, label)
        for holdback in await context.registry.holdbacks():
            if holdback.policy == candidate.policy and holdback.experiment == ours:
                await context.registry.set_holdback(candidate.policy, None)
        return Move("pass", f"{policy.breaker.window_s:g} s in production without an alarm")
