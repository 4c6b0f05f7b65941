"""Memories ready to search, by content: for replay, for the gates and for evolution. The newest few are kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from policies.errors import OperatorError
from policies.genome import Genome
from policies.memory import Entry, Library
from policies.memory.lines import from_lines, unpack
from policies.registry.port import Registry

MOST = 4


@dataclass(frozen=True, slots=True)
class Held:
    """One memory: every entry of it, and the active ones ready to search."""

    entries: tuple[Entry, ...]
    library: Library


NOTHING = Held((), Library(()))


class Shelf:
    """Reads what a genome's memory layer names, once."""

    def __init__(self) -> None:
        self._held: OrderedDict[tuple[str, str], Held] = OrderedDict()

    async def held(self, registry: Registry, policy: str, file: str | None, genome: Genome) -> Held:
        """The memory of a genome: its snapshot, else the policy's file; empty where it has neither.

        Raises:
            NotFoundError: the snapshot is not in the registry. OperatorError: the file can't be read.
        """
        digest = genome.memory.snapshot
        if digest is not None:
            return await self._kept((policy, digest), partial(_of_registry, registry, policy, digest))
        if file is None:
            return NOTHING
        return await self._kept((file, str(_written(file))), partial(asyncio.to_thread, _of_file, file))

    async def _kept(self, key: tuple[str, str], load: Callable[[], Awaitable[Held]]) -> Held:
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = await load()
            while len(self._held) > MOST:
                self._held.popitem(last=False)
        self._held.move_to_end(key)
        return held


async def _of_registry(registry: Registry, policy: str, digest: str) -> Held:
    content = await registry.memory(policy, digest)
    where = f"memory snapshot {digest}"
    return await asyncio.to_thread(lambda: _ready(tuple(unpack(content, where))))


def _of_file(name: str) -> Held:
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise OperatorError(f"memory_file {name}: can't be read ({error.strerror})") from error
    return _ready(tuple(from_lines(data, f"memory_file {name}")))


def _ready(entries: tuple[Entry, ...]) -> Held:
    return Held(entries, Library(entries))


def _written(name: str) -> int:
    try:
        return Path(name).stat().st_mtime_ns
    except OSError:
        return -1
