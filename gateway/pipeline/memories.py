"""Memories: snapshots of the registry and memory files, read and indexed off the request path.

1. A memory is loaded in a thread that pauses every millisecond, so that answers go on meanwhile. Epochs take it once it
   is whole; until then an arm that needs it is left out, and production does without.
2. What is loaded is named by its content, so it never changes; what no arm may need any more is dropped.
3. A file that has become unreadable leaves in force what was read before.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from config.policy import Policy
from gateway.embeddings.memories import Meaning
from gateway.pipeline.snapshot import PolicySnapshot, Snapshot
from policies.errors import EvoGateError, NotFoundError, OperatorError
from policies.genome import Genome, MemoryLayer
from policies.lint import instructs
from policies.memory import Entry, Library, Recalled, withhold
from policies.memory.lines import from_lines, unpack
from policies.registry.port import Registry

log = logging.getLogger("evogate.memory")

PATIENCE_S = 2.0  # that an epoch waits for a memory: longer would keep it from other news, such as a rollback
_PAUSE_S = 0.0002
_SERVED = frozenset({"shadow", "canary"})
_OLDER = 6  # versions whose conversations may go on: as many as an epoch keeps arms of, and production


@dataclass(frozen=True, slots=True)
class Memory:
    """What an arm may be reminded of."""

    library: Library
    genes: MemoryLayer
    tokens: int
    holdout: float
    draw: Callable[[], float]  # uniform in [0, 1)
    meaning: Meaning | None = None  # None: its genes ask for no embeddings

    def recall(self, query: str, tenant: str = "") -> Recalled:
        """Entries and scores, best first of each kind; those held out are blanks (see `withhold`)."""
        near = self.meaning.near(query) if self.meaning is not None else None
        found = self.library.recall(self.genes, query, token_budget=self.tokens, namespace=tenant, near=near)
        return withhold(found, self.holdout, self.draw) if self.holdout else found


class Memories:
    """What is loaded, by snapshot hash or file name."""

    def __init__(self) -> None:
        self._loaded: dict[str, Library] = {}
        self._refused: dict[str, str] = {}  # files: why
        self._stamps: dict[str, int] = {}  # files: when what was last read or refused was written
        self._loading: dict[str, asyncio.Task[None]] = {}

    async def fetch(
        self,
        registry: Registry,
        policies: Mapping[str, Policy],
        snapshot: Snapshot,
        *,
        patience_s: float | None = PATIENCE_S,
    ) -> None:
        """Load what may serve; return once it is there, or after `patience_s` (None: however long it takes)."""
        needed = dict(_needed(snapshot))
        files = {policy.memory_file for policy in policies.values() if policy.memory_file is not None}
        for digest, policy in needed.items():
            if digest not in self._loaded:
                self._start(digest, partial(_of_registry, registry, policy, digest))
        for name in files:
            stamp = _stamp(name)
            if self._stamps.get(name) != stamp and name not in self._loading:
                self._stamps[name] = stamp
                self._start(name, partial(asyncio.to_thread, _of_file, name))
        if self._loading:
            await asyncio.wait(self._loading.values(), timeout=patience_s)
        kept = needed.keys() | files
        self._loaded = {key: library for key, library in self._loaded.items() if key in kept}
        self._stamps = {name: stamp for name, stamp in self._stamps.items() if name in files}

    def library(self, file: str | None, snapshot: str | None) -> Library | None:
        """The memory of a genome that names this snapshot, or none and is served from this file; None: there is none.

        A file that nobody has asked `fetch` for is read at once.

        Raises:
            OperatorError: the file can't be read, or a line of it may not be served.
            NotFoundError: the snapshot is not here (yet).
        """
        found = self._loaded.get(snapshot) if snapshot is not None else None
        if found is None and file is not None:
            found = self._of_file(file)
        if snapshot is None or (found is not None and found.snapshot == snapshot):
            return found
        raise NotFoundError(
            f"memory snapshot {snapshot} is not loaded (yet), and not what memory_file holds; if it does not come, "
            "roll the memory layer back"
        )

    def put(self, entries: Iterable[Entry]) -> None:
        """Take entries as loaded: for whoever has no gateway to fetch them."""
        library = Library(entries)
        self._loaded[library.snapshot] = library

    def _of_file(self, name: str) -> Library | None:
        if name not in self._loaded:
            if name in self._refused:
                raise OperatorError(self._refused[name])
            if name in self._loading:
                return None
            self._loaded[name] = _of_file(name)
        return self._loaded[name]

    def _start(self, key: str, load: Callable[[], Awaitable[Library]]) -> None:
        if key not in self._loading:
            self._loading[key] = asyncio.create_task(self._load(key, load))

    async def _load(self, key: str, load: Callable[[], Awaitable[Library]]) -> None:
        try:
            self._loaded[key] = await load()
            self._refused.pop(key, None)
        except EvoGateError as error:
            if self._refused.get(key) != str(error):
                log.warning("%s", error)
            self._refused[key] = str(error)
        finally:
            del self._loading[key]


def _stamp(name: str) -> int:
    """When a file was last written; -1 where it can't be told."""
    try:
        return Path(name).stat().st_mtime_ns
    except OSError:
        return -1


def _needed(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """(hash, policy) of every snapshot that an arm may retrieve from."""
    for name, rows in snapshot.policies.items():
        for genome in _genomes(rows):
            if genome.memory.recalls and genome.memory.snapshot is not None:
                yield genome.memory.snapshot, name


def _genomes(rows: PolicySnapshot) -> Iterator[Genome]:
    held_back = rows.version(rows.holdback.version) if rows.holdback is not None else None
    for version in (*rows.versions[-_OLDER:], rows.production, held_back):
        if version is not None:
            yield version.genome
    yield from (candidate.genome for candidate in rows.candidates if candidate.state in _SERVED)


async def _of_registry(registry: Registry, policy: str, digest: str) -> Library:
    content = await registry.memory(policy, digest)
    return await asyncio.to_thread(lambda: Library(unpack(content, f"memory snapshot {digest}"), _pause))


def _of_file(name: str) -> Library:
    """A memory file, ready to search.

    Raises:
        OperatorError: it can't be read, a line is no entry, or an entry instructs the model.
    """
    try:
        data = Path(name).read_bytes()
    except OSError as error:
        raise OperatorError(f"memory_file {name}: can't be read ({error.strerror})") from error
    return Library(_harmless(from_lines(data, f"memory_file {name}"), name), _pause)


def _harmless(entries: Iterable[Entry], name: str) -> Iterator[Entry]:
    """An operator's own entries may hold links and addresses, but nothing that turns the model or hides."""
    for entry in entries:
        if fault := instructs("\n".join((entry.text, entry.answer, *entry.topics))):
            raise OperatorError(f"memory_file {name}: entry '{entry.id}' {fault}; take it out")
        yield entry


def _pause() -> None:
    """Let the loop run: it answers requests while a memory is indexed."""
    time.sleep(_PAUSE_S)
