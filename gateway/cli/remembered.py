"""A version's memory as the command line sees it, and how a change of it becomes a version."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.common import the_policy, the_user
from gateway.cli.offline import settings_in_force
from policies.errors import ConflictError, NotFoundError, OperatorError
from policies.genome import Lineage
from policies.memory import MAX_ENTRIES, Entry, snapshot_hash
from policies.memory.lines import from_lines, pack, unpack
from policies.memory.operations import Operation, applied
from policies.registry.operations import find_version, production_of
from policies.registry.port import Registry
from policies.registry.values import MemorySnapshot, Pointer, Version


@dataclass(frozen=True, slots=True)
class Remembered:
    """A version's memory."""

    version: Version
    pointer: Pointer
    entries: list[Entry]


def named(entries: Sequence[Entry], entry_id: str) -> Entry:
    """The entry of that id.

    Raises:
        NotFoundError: there is none.
    """
    found = next((entry for entry in entries if entry.id == entry_id), None)
    if found is None:
        raise NotFoundError(f"there is no memory entry '{entry_id}'; `evogate memory list --all` names them")
    return found


async def remembered(
    registry: Registry, policy: str | None, label: str | None, home: Path, config: Path | None
) -> Remembered:
    """What a version retrieves from: its snapshot, else the policy's file as it is now."""
    name = await the_policy(registry, policy)
    version, pointer = await production_of(registry, name)
    if label is not None:
        version = await find_version(registry, name, label)
    digest = version.genome.memory.snapshot
    if digest is not None:
        content = await registry.memory(name, digest)
        return Remembered(version, pointer, list(unpack(content, f"memory snapshot {digest}")))
    settings = settings_in_force(home, config).policies.get(name)
    file = settings.memory_file if settings is not None else None
    return Remembered(version, pointer, read(Path(file), "memory_file") if file is not None else [])


def read(path: Path, what: str) -> list[Entry]:
    """The entries of a file of JSON lines.

    Raises:
        OperatorError: it can't be read, or a line of it is no entry; `what` it is stands in the message.
    """
    try:
        return list(from_lines(path.read_bytes(), f"{what} {path}"))
    except OSError as error:
        raise OperatorError(f"{what} {path}: can't be read ({error.strerror})") from error


async def store(
    registry: Registry, held: Remembered, operations: Sequence[Operation], why: str, topk: int | None
) -> tuple[Version, int]:
    """A snapshot, and a version that names it, in production.

    Raises:
        ConflictError: nothing would change, or production has moved meanwhile.
    """
    version, pointer, who, now = held.version, held.pointer, the_user(), time.time()
    entries = applied(held.entries, operations)
    active = sum(entry.active for entry in entries)
    if active > MAX_ENTRIES:
        raise OperatorError(f"that would be {active:,} entries; a memory holds at most {MAX_ENTRIES:,}")
    digest = snapshot_hash(entries)
    genes = version.genome.memory.model_copy(update={"snapshot": digest} | ({"retriever_topk": topk} if topk else {}))
    genome = version.genome.model_copy(update={"memory": genes})
    if genome == version.genome:
        raise ConflictError(f"{version.label} in production remembers just that; nothing to change")
    detail = {"operations": [operation.to_json() for operation in operations]}
    parent = snapshot_hash(held.entries) if held.entries else ""
    await registry.add_memory(
        MemorySnapshot(version.policy, digest, parent, now, who, why, active, detail), pack(entries)
    )
    lineage = Lineage(source="operator", operator="memory", parents=(version.genome.content_hash,), explanation=why)
    made = await registry.add_version(version.policy, genome, lineage, who=who, why=f"memory: {why}", now=now)
    await registry.move(
        version.policy, made.label, expected_revision=pointer.revision, who=who, why=f"memory: {why}", now=now
    )
    return made, active
