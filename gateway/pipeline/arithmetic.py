"""numpy, where epochs compute with it: loaded ahead and in a thread, so that no request waits for it."""

import asyncio
from collections.abc import Iterable, Iterator

from config.settings import Settings
from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from policies import arrays
from policies.genome import Genome
from policies.strategy.router import AUTO


async def ready(settings: Settings, snapshot: Snapshot) -> None:
    """Return when `build` can compute what it will of these."""
    if not arrays.loaded() and computes(settings, snapshot):
        await asyncio.to_thread(arrays.load)


def computes(settings: Settings, snapshot: Snapshot) -> bool:
    """Whether there is anything but production to draw, a router, a memory, or intents to tell apart."""
    configured = (policy.genome for policy in settings.policies.values())
    return _genomes_do(configured) or any(map(_policy_does, snapshot.policies.values()))


def _policy_does(rows: PolicySnapshot) -> bool:
    return bool(rows.candidates or rows.experiments or rows.holdback or rows.intents) or _genomes_do(_genomes(rows))


def _genomes(rows: PolicySnapshot) -> Iterator[Genome]:
    return (version.genome for version in rows.versions)


def _genomes_do(genomes: Iterable[Genome]) -> bool:
    return any(genome.strategy.model_key == AUTO or genome.memory.recalls for genome in genomes)
