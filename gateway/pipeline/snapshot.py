"""What the registry says, read in one go off the request path, as a value that epochs are built from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any

from config.policy import Policy
from config.settings import Settings
from policies.errors import ConflictError
from policies.genome import Lineage
from policies.registry.port import Registry
from policies.registry.values import Candidate, Experiment, Holdback, Note, Pointer, Version

TERMS = {"mode", "unit", "bandit", "breaker", "promotion", "reward", "budgets", "shadow"}  # what decisions are made by


@dataclass(frozen=True, slots=True)
class PolicySnapshot:
    """One policy's rows."""

    versions: tuple[Version, ...] = ()
    pointer: Pointer | None = None
    candidates: tuple[Candidate, ...] = ()  # live ones
    experiments: tuple[Experiment, ...] = ()  # running ones
    holdback: Holdback | None = None
    tombstones: frozenset[str] = frozenset()
    intents: Mapping[str, Any] = field(default_factory=dict)  # what the evolver has learnt to tell apart

    @property
    def production(self) -> Version | None:
        """The version that the pointer names."""
        label = self.pointer.version if self.pointer is not None else None
        return next((version for version in self.versions if version.label == label), None)

    def version(self, label: str) -> Version | None:
        """The version of that label."""
        return next((version for version in self.versions if version.label == label), None)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All policies of the configuration, and the operator's freeze.

    `outages`: upstreams that some worker has found down, and until when (Unix seconds; infinite: it goes on).
    """

    policies: Mapping[str, PolicySnapshot] = field(default_factory=dict)
    frozen: bool = False
    outages: Mapping[str, float] = field(default_factory=dict)


async def read(registry: Registry, names: Iterable[str]) -> Snapshot:
    """Everything an epoch needs of the registry."""
    holdbacks = {holdback.policy: holdback for holdback in await registry.holdbacks()}
    policies = {}
    outages: dict[str, float] = {}
    for name in names:
        for incident in await registry.incidents(name):
            if incident.kind == "PROVIDER":
                until = inf if incident.resolved_at is None else incident.resolved_at
                outages[incident.subject] = max(outages.get(incident.subject, 0.0), until)
        policies[name] = PolicySnapshot(
            versions=tuple(await registry.versions(name)),
            pointer=await registry.production(name),
            candidates=tuple(await registry.candidates(name, live=True)),
            experiments=tuple(await registry.experiments(name, running=True)),
            holdback=holdbacks.get(name),
            tombstones=frozenset(t.content_hash for t in await registry.tombstones(name)),
            intents=await registry.state(f"intents:{name}"),
        )
    freeze = await registry.state("freeze")
    return Snapshot(policies, bool(freeze.get("frozen")), outages)


async def publish_configured(registry: Registry, settings: Settings, now: float) -> None:
    """Make each policy's genome in the file a version: v1.0 at first, an operator's version when it has changed.

    A file that has not changed since it was last read never moves the production pointer.
    """
    names = sorted(settings.policies)
    if (await registry.state("policies")).get("names") != names:
        await registry.set_state("policies", {"names": names})
    for name, policy in settings.policies.items():
        await _note_terms(registry, name, policy, now)
        key = f"configured:{name}"
        digest = policy.genome.content_hash
        known = (await registry.state(key)).get("hash")
        pointer = await registry.production(name)
        if known == digest and pointer is not None:
            continue
        source, why = ("operator", "the configuration's genome changed") if known else ("seed", "first start")
        try:
            await _to_production(registry, name, settings, pointer, source=source, why=why, now=now)
        except ConflictError:
            continue  # another worker was faster; the next round sees its work
        await registry.set_state(key, {"hash": digest})


async def _note_terms(registry: Registry, name: str, policy: Policy, now: float) -> None:
    """Before they come into force: `evogate verify` decides again by the terms on record."""
    terms = policy.model_dump(mode="json", include=TERMS)
    if (await registry.state(f"terms:{name}")) != terms:
        await registry.note(Note(now, name, "config", "terms", name, terms))
        await registry.set_state(f"terms:{name}", terms)


async def _to_production(
    registry: Registry, name: str, settings: Settings, pointer: Pointer | None, *, source: str, why: str, now: float
) -> None:
    genome = settings.policies[name].genome
    versions = await registry.versions(name)
    current = next((v for v in versions if pointer is not None and v.label == pointer.version), None)
    if current is not None and current.genome == genome:
        return
    unused = next((v for v in versions if pointer is None and v.genome == genome), None)
    lineage = Lineage(source="operator" if source == "operator" else "seed")
    version = unused or await registry.add_version(name, genome, lineage, who="config", why=why, now=now)
    revision = pointer.revision if pointer is not None else 0
    await registry.move(name, version.label, expected_revision=revision, who="config", why=why, now=now)
