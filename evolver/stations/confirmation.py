"""promoted -> confirmed: a comparison period has passed without an alarm (the watch rolls back where there is one)."""

from evolver.context import Context
from evolver.stations.base import Move, wait
from evolver.stations.deploy import holdback_experiment
from policies.registry.values import Candidate


class Confirmation:
    """Ends the holdback that was set at the promotion."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Confirm after the breaker's window, unless an alarm's comparison with the predecessor is under way."""
        policy = context.policy(candidate.policy)
        if policy is None or context.now - candidate.state_since < policy.breaker.window_s:
            return None
        if any(e.candidate == candidate.id for e in await context.registry.experiments(candidate.policy, running=True)):
            return wait(candidate, "waits: an alarm has called for a comparison with its predecessor")
        label = str(candidate.stations.get("promotion", {}).get("version", ""))
        ours = holdback_experiment(candidate.policy, label)
        for holdback in await context.registry.holdbacks():
            if holdback.policy == candidate.policy and holdback.experiment == ours:
                await context.registry.set_holdback(candidate.policy, None, now=context.now)
        return Move("pass", f"{policy.breaker.window_s:g} s in production without an alarm")
