"""In the shadow, first of all: what the log says already. It decides nothing but the order of the canary's queue."""

from evolver.context import Context
from evolver.logged import from_the_log
from evolver.stations.base import Move
from policies.registry.operations import production_of
from policies.registry.values import Candidate


class LogReading:
    """Stores its estimates under `log`, once."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Look it up, or say nothing where that was done."""
        if "log" in candidate.stations:
            return None
        production, _ = await production_of(context.registry, candidate.policy)
        said = await from_the_log(candidate.policy, candidate.genome, production.genome, context)
        return Move(None, "", "log", said)
