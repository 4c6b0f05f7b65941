"""What a station may look at and use during one round of the daemon."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from config.policy import Mode, Policy
from config.settings import Settings
from evolver.meaning import Embeddings
from evolver.memory.shelf import Held, Shelf
from evolver.notify import Notifier
from evolver.provider import Provider, model_key_of
from evolver.quiet import quiet
from evolver.replay import Replay
from evolver.store import Store
from policies.genome import Genome
from policies.memory import Library
from policies.registry.port import Registry
from policies.registry.values import Lease
from policies.strategy.lore import Lore
from policies.strategy.router import Router


@dataclass(frozen=True, slots=True)
class Context:
    """One round: the world as handles, the time as a value."""

    settings: Settings
    registry: Registry
    store: Store
    provider: Provider
    webhook: Notifier
    home: Path
    now: float
    rng: Random
    suspects: frozenset[str] = frozenset()  # candidates whose promotion rests while the breaker suspects them
    cycle: str = ""  # the id of the cycle that runs, where one does
    lease: Lease | None = None  # what a cycle writes, it writes under this one
    shelf: Shelf = field(default_factory=Shelf)  # memories, kept from one round to the next
    embeddings: Embeddings | None = None  # kept as well; None: what was asked for is forgotten with each replay

    @property
    def quiet(self) -> bool:
        """True in the hours in which nothing is deployed."""
        return quiet(self.settings.evolver.quiet, self.now)

    def policy(self, name: str) -> Policy | None:
        """The policy's settings; None where it has left the configuration."""
        return self.settings.policies.get(name)

    def mode(self, name: str) -> Mode:
        """How the policy may change; a policy that left the configuration changes no more."""
        policy = self.policy(name)
        return policy.mode if policy else "observe"

    async def memory(self, policy: str, genome: Genome) -> Held:
        """What a genome of the policy retrieves from.

        Raises:
            NotFoundError: its snapshot is gone. OperatorError: the policy's file can't be read.
        """
        settings = self.policy(policy)
        return await self.shelf.held(self.registry, policy, settings.memory_file if settings else None, genome)

    def replay(self, policy: str) -> Replay:
        """Replay of a policy that is in the configuration."""

        async def remind(genome: Genome) -> Library:
            return (await self.memory(policy, genome)).library

        async def guide() -> Router:
            router = Router(self.settings.choices)
            for row in await self.registry.totals("router", policy):
                with suppress(ValueError):  # a router that knows less still decides
                    router.take(Lore.from_json(row.data))
            return router

        return Replay(
            self.settings, self.settings.policies[policy], self.provider, remind, guide, embeddings=self.embeddings
        )

    def usable(self, *genomes: Genome) -> bool:
        """True where every genome's model can be called with the operator's means."""
        keys = (model_key_of(self.settings, genome, {}) for genome in genomes)
        return all(self.provider.usable(key) for key in keys)


QUIET = "waits for the end of the quiet hours (`evolver.quiet`)"
NO_KEY = "waits: replay, judge and reflection need an operator's key; set `api_key` of its upstream"


async def frozen(registry: Registry) -> bool:
    """True while an operator has stopped all change."""
    return bool((await registry.state("freeze")).get("frozen"))


def short(values: dict[str, Any]) -> dict[str, Any]:
    """Measured values with floats rounded to six digits, as they are stored."""
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in values.items()}
