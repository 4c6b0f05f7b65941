"""What the evolver and an operator both do to the registry: open a canary, promote, restore a version or a layer.

Each is a short sequence of the port's transactions in an order that is safe to be cut off anywhere: the next reader
finds either the old state or the new, and a repeated call ends in the same place.
"""

import secrets
from typing import Any

from policies.errors import ConflictError, NotFoundError, StaleError
from policies.evidence.returns import earlier_trips
from policies.genome import LayerName, Lineage
from policies.lifecycle import Event
from policies.registry.port import Registry
from policies.registry.values import Candidate, Experiment, Pointer, Version


async def find_version(registry: Registry, policy: str, label: str) -> Version:
    """The version of that label, with or without the `v`.

    Raises:
        NotFoundError: there is none; the message lists those there are.
    """
    versions = await registry.versions(policy)
    for version in versions:
        if version.label == f"v{label.removeprefix('v')}":
            return version
    known = ", ".join(version.label for version in versions) or "none"
    raise NotFoundError(f"policy '{policy}' has no version {label}; known: {known}")


async def production_of(registry: Registry, policy: str) -> tuple[Version, Pointer]:
    """The version in production and the pointer to it.

    Raises:
        NotFoundError: the policy has never served.
    """
    pointer = await registry.production(policy)
    if pointer is None:
        raise NotFoundError(f"policy '{policy}' has no version in production yet; start the gateway once")
    return await find_version(registry, policy, pointer.version), pointer


async def restore(
    registry: Registry,
    policy: str,
    label: str,
    layer: LayerName | None,
    *,
    who: str,
    why: str,
    now: float,
    revision: int | None = None,
) -> Version:
    """Bring a version back, or one layer of it beside the present other two, as a new version in production.

    `revision` is the production pointer's that the caller has seen; None restores whatever is there.

    Raises:
        NotFoundError: no such version. StaleError: the pointer is at another revision.
        ConflictError: nothing would change, or the pointer moved meanwhile.
    """
    old = await find_version(registry, policy, label)
    current, pointer = await production_of(registry, policy)
    if revision is not None and revision != pointer.revision:
        raise StaleError(
            f"production of policy '{policy}' is {pointer.version} at revision {pointer.revision}, moved by "
            f"{pointer.who}, not at revision {revision}; look at it again and retry"
        )
    genome = old.genome if layer is None else current.genome.with_layer(layer, old.genome)
    what = f"{layer} layer of {old.label}" if layer else old.label
    if genome == current.genome:
        raise ConflictError(f"{current.label} in production already equals the {what}; nothing to restore")
    lineage = Lineage(
        source="operator",
        operator=f"restore {layer or 'all'}",
        parents=(current.genome.content_hash, old.genome.content_hash),
    )
    version = await registry.add_version(
        policy, genome, lineage, who=who, why=f"restore of the {what}: {why}", now=now, evidence={"restored": old.label}
    )
    await registry.move(
        policy, version.label, expected_revision=pointer.revision, who=who, why=f"restore of the {what}: {why}", now=now
    )
    return version


async def start_canary(
    registry: Registry, candidate: Candidate, *, who: str, reason: str, counted: bool, now: float
) -> tuple[Candidate, Experiment]:
    """Give a candidate its share: open its experiment, then advance it (`counted` False for an override)."""
    _, pointer = await production_of(registry, candidate.policy)
    running = await registry.experiments(candidate.policy, running=True)
    experiment = next((e for e in running if e.candidate == candidate.id), None)
    if experiment is None:
        experiment = await registry.open_experiment(
            candidate.policy, candidate.id, pointer.version, salt=secrets.token_hex(16), counted=counted, now=now
        )
    everybody = await registry.candidates(candidate.policy)
    tries = earlier_trips(
        candidate.genome.content_hash,
        {c.genome.content_hash: c.lineage.parents for c in everybody},
        {c.genome.content_hash for c in everybody if c.state == "rolled_back"},
    )
    before = candidate.stations.get("canary", {})
    measured = {**before, "tries": tries + int(before.get("rests", 0))}
    event: Event = "pass" if candidate.state == "judged" else "override_canary"
    after = await registry.advance(
        candidate, event, who=who, reason=reason, now=now, station="canary", measured=measured
    )
    return after, experiment


async def promote(
    registry: Registry, candidate: Candidate, *, who: str, reason: str, now: float, evidence: dict[str, Any]
) -> Version:
    """Make a candidate the new production: version, pointer, experiment closed, candidate advanced.

    Only the candidate's own layer is taken over, so that a version that came meanwhile keeps its other two.
    """
    current, pointer = await production_of(registry, candidate.policy)
    version = await _promoted_before(registry, candidate)
    if version is None:
        genome = current.genome.with_layer(candidate.layer, candidate.genome)
        found = {"candidate": candidate.id, **evidence}
        version = await registry.add_version(
            candidate.policy, genome, candidate.lineage, who=who, why=reason, now=now, evidence=found
        )
    if pointer.version != version.label:
        await registry.move(
            candidate.policy, version.label, expected_revision=pointer.revision, who=who, why=reason, now=now
        )
    for experiment in await registry.experiments(candidate.policy, running=True):
        if experiment.candidate == candidate.id:
            await registry.close_experiment(experiment.id, "PROMOTE", evidence, now=now)
    event: Event = "pass" if candidate.state == "canary" else "override_promote"
    measured = {"version": version.label, **evidence}
    await registry.advance(candidate, event, who=who, reason=reason, now=now, station="promotion", measured=measured)
    return version


async def _promoted_before(registry: Registry, candidate: Candidate) -> Version | None:
    """The version of a promotion of this candidate that was cut off half-way."""
    versions = await registry.versions(candidate.policy)
    return next((v for v in versions if v.evidence.get("candidate") == candidate.id), None)
