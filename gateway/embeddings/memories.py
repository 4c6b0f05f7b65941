"""Memories by meaning: their entries' embeddings, asked for in the background, and a query's, while a request waits."""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from config.settings import Settings
from gateway.embeddings.embedder import Embedder
from gateway.pipeline.routes import Route
from policies.arrays import np
from policies.memory import Library, Meanings, Near
from policies.vectors import Matrix, Vector

log = logging.getLogger("evogate.embeddings")

AT_A_TIME = 16  # texts of one call: reading the answer takes a millisecond or two
MOST_NUMBERS = 8_000_000  # of a library's vectors: all are looked at for each request, in about two milliseconds
_AT_ONCE = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0  # before a call is made again


class Shelf:
    """The embeddings of a worker's libraries, by snapshot."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.most = 0  # entries of a library; a larger one is searched by words alone
        self._identity: object = None
        self._found: dict[str, Meanings] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._texts: dict[str, tuple[str, ...]] = {}
        self._refused: set[str] = set()  # too large, or of no use

    def follow(self, settings: Settings, routes: Mapping[str, Route], libraries: Iterable[Library]) -> None:
        """Take over what the epoch in force says: whom to ask, and for which libraries; forget all others."""
        self.embedder.configure(settings, routes)
        self.most = settings.embeddings.most_entries
        identity = self.embedder.identity(self.embedder.model)
        wanted = {library.snapshot: library for library in libraries}
        self._drop(wanted if identity == self._identity else ())
        self._identity = identity
        for name, library in wanted.items() if identity is not None else ():
            begun = name in self._found or name in self._tasks or name in self._refused
            if not begun and 0 < len(library) <= self.most:
                self._tasks[name] = asyncio.get_running_loop().create_task(self._embed(library))

    def of(self, library: Library) -> Meanings | None:
        """Its embeddings, once they are all there."""
        return self._found.get(library.snapshot)

    def why(self, library: Library) -> str:
        """Why there are none."""
        if self.embedder.model is None:
            return "off"
        return "too_large" if len(library) > self.most or library.snapshot in self._refused else "not_ready"

    def _drop(self, but: Collection[str]) -> None:
        for name in [name for name in self._tasks if name not in but]:
            self._tasks.pop(name).cancel()
        self._found = {name: found for name, found in self._found.items() if name in but}
        self._texts = {name: texts for name, texts in self._texts.items() if name in but}
        self._refused &= set(but)

    async def _embed(self, library: Library) -> None:
        name = library.snapshot
        try:
            await self._fetch(library)
        except (ValueError, ExceptionGroup) as error:  # a group where one of several calls told
            self._refused.add(name)
            log.warning("a memory of %d entries is searched by words alone: %s", len(library), error)
        finally:
            if self._tasks.get(name) is asyncio.current_task():
                del self._tasks[name]

    async def _fetch(self, library: Library) -> None:
        """Ask for what an earlier library has not got.

        Raises:
            ValueError: there are too many numbers to look at for each request, or their vectors differ in length.
        """
        texts = await asyncio.to_thread(library.meant)
        had: dict[str, Vector] = {}
        for name, found in self._found.items():
            had.update(zip(self._texts[name], found.vectors, strict=True))
        missing = list(dict.fromkeys(text for text in texts if text not in had))
        slots = asyncio.Semaphore(_AT_ONCE)

        async def part(start: int) -> None:
            chosen = missing[start : start + AT_A_TIME]
            async with slots:
                rows = await self._some(chosen)
                if len(texts) * rows.shape[1] > MOST_NUMBERS:
                    raise ValueError(f"vectors of {rows.shape[1]} numbers take too long; set `embeddings.dimensions`")
                had.update(zip(chosen, rows, strict=True))

        if missing:
            await part(0)  # the first tells how long the vectors are
        async with asyncio.TaskGroup() as group:
            for start in range(AT_A_TIME, len(missing), AT_A_TIME):
                group.create_task(part(start))
        self._texts[library.snapshot] = tuple(texts)
        self._found[library.snapshot] = Meanings(np.stack([had[text] for text in texts]), len(library.facts))
        log.info("a memory of %d entries can be searched by meaning", len(texts))

    async def _some(self, texts: list[str]) -> Matrix:
        pause_s = _FIRST_PAUSE_S
        while isinstance(found := await self.embedder.all(texts), str):
            log.warning("embeddings of a memory did not come (%s); again in %.0f s", found, pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(2.0 * pause_s, _LONGEST_PAUSE_S)
        return found


@dataclass(frozen=True, slots=True)
class Meaning:
    """One arm's memory, by meaning."""

    shelf: Shelf
    library: Library

    def waits(self, query: str) -> bool:
        """Whether the query's embedding is worth waiting for; that there is nothing to compare it with is counted."""
        if not len(self.library):
            return False
        if self.shelf.of(self.library) is None:
            self.shelf.embedder.count("memory", self.shelf.why(self.library))
            return False
        return self.shelf.embedder.known(query) is None

    def ask(self, query: str, then: Callable[[bool, float], None]) -> None:
        """`then` hears whether the query's embedding is there, and what it cost this request in US dollars."""
        self.shelf.embedder.ask(query, "memory", lambda vector, usd: then(vector is not None, usd))

    def near(self, query: str) -> Near | None:
        """How near each entry is; None where that is not known."""
        meanings, vector = self.shelf.of(self.library), self.shelf.embedder.known(query)
        return meanings.near(vector) if meanings is not None and vector is not None else None
