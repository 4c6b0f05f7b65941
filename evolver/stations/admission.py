"""gated -> shadow: not in mode `observe`, not without an operator's key, and not before the regression gate."""

from evolver.context import NO_KEY, Context
from evolver.stations.base import Move, UpstreamDownError, wait
from evolver.stations.gates import RECENT, Gate, replayed, verdict
from policies.lifecycle import Event
from policies.registry.operations import production_of
from policies.registry.values import Candidate

SHADOWS = 2  # mirrored at a time per policy: each costs its share of the shadow budget


class Admission:
    """Lets a gated candidate into the shadow where there is room for it."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Pass, or say what it waits for."""
        if context.mode(candidate.policy) == "observe":
            return wait(candidate, "proposed only: the policy's mode is observe")
        production, _ = await production_of(context.registry, candidate.policy)
        if not context.usable(production.genome, candidate.genome):
            return wait(candidate, NO_KEY)
        gates = candidate.stations.get("gates", {})
        if "regression" not in gates:
            return await self._regression(candidate, gates, context)
        live = await context.registry.candidates(candidate.policy, live=True)
        if sum(other.state == "shadow" for other in live) >= SHADOWS:
            return wait(candidate, "waits for its turn in the shadow")
        return Move("pass", "in the shadow", "admission", {"at": context.now})

    async def _regression(self, candidate: Candidate, gates: dict[str, object], context: Context) -> Move | None:
        """The gate that was left open for want of a key."""
        examples = await context.store.examples(candidate.policy, limit=RECENT)
        try:
            found: dict[str, Gate] = await replayed(candidate, examples, context)
        except UpstreamDownError as error:
            return wait(candidate, f"waits: {error}")
        result = verdict(found)
        event: Event | None = "fail" if result.event == "fail" else None
        return Move(event, result.reason, "gates", {**gates, **result.measured})
