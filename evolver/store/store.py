"""The database behind one thread: the event loop never waits for a disk."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from evolver.analysis.shadowed import Shadowed
from evolver.examples import Example
from evolver.store import arrivals, reads, recalls
from evolver.store.ingest import ingest
from evolver.store.queries import text
from evolver.store.retention import retire
from policies.errors import OperatorError
from policies.memory.counters import Counter

P = ParamSpec("P")
T = TypeVar("T")


class Store:
    """analysis.db (write-ahead log, one writer: this object) and the spool it is read from."""

    def __init__(self, path: Path, spool: Path) -> None:
        self._path = path
        self._spool = spool
        self._thread = ThreadPoolExecutor(1, "analysis-db")
        self._connection: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        """Open, creating the schema where it is missing.

        Raises:
            OperatorError: the file can't be opened or is no database.
        """
        try:
            self._connection = await self._submit(self._open)
        except sqlite3.Error as error:
            self._thread.shutdown()
            raise OperatorError(f"can't open the analysis database {self._path}: {error}") from error
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close after what is running."""
        if self._connection is not None:
            await self._submit(self._connection.close)
        self._thread.shutdown()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, timeout=10.0)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # says nothing to a database that has tables already
        connection.execute("PRAGMA journal_mode = WAL")
        # The offset is in the same transaction as its rows: what a power cut takes back is read again.
        connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(connection)
        connection.executescript(text("schema"))
        return connection

    async def _submit(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _ask(
        self, question: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        assert self._connection is not None, "the store is not open"
        return await self._submit(partial(question, self._connection, *args, **kwargs))

    async def ingest(self) -> int:
        """Read what is new in the spool; the number of frames."""
        return await self._ask(ingest, self._spool)

    async def examples(
        self, policy: str, *, arm: str | None = None, since: float = 0.0, limit: int = 2_000
    ) -> list[Example]:
        """The newest recorded requests, newest first; only those that the arm of that content hash served."""
        return await self._ask(reads.examples, self._spool, policy=policy, arm=arm, since=since, limit=limit)

    async def units(
        self, policy: str, *, deadline_s: float, until: float, after: tuple[float, str], limit: int = 2_000
    ) -> list[reads.Unit]:
        """Units that entered a comparison, in the order of assignment."""
        return await self._ask(reads.units, policy=policy, deadline_s=deadline_s, until=until, after=after, limit=limit)

    async def pairs(self, candidate: str, *, after: int, limit: int = 2_000) -> list[reads.Pair]:
        """A candidate's shadow answers in the order of arrival."""
        return await self._ask(reads.pairs, candidate=candidate, after=after, limit=limit)

    async def shadowed(self, policy: str, arm: str, candidates: Sequence[str], *, limit: int = 4_000) -> list[Shadowed]:
        """The newest pairs of those candidates with answers of that arm."""
        return await self._ask(reads.shadowed, policy=policy, arm=arm, candidates=candidates, limit=limit)

    async def texts(self, candidate: str, *, after: int, limit: int) -> list[reads.Texts]:
        """The same as words."""
        return await self._ask(reads.texts, self._spool, candidate=candidate, after=after, limit=limit)

    async def retire(self, *, before: float) -> int:
        """Fold a batch of requests from before that time into totals; how many went, 0 where none is left."""
        return await self._ask(retire, before=before)

    async def learnings(self, policy: str, *, since: float) -> int:
        """Distinct units learnt from since that time."""
        return await self._ask(reads.learnings, policy=policy, since=since)

    async def performance(self, policy: str, *, since: float, limit: int = 500) -> tuple[float | None, int]:
        """Mean reward of production's newest outcomes, and how many they are."""
        return await self._ask(reads.performance, policy=policy, since=since, limit=limit)

    async def progress(self) -> list[reads.Progress]:
        """How far every writer's spool is read."""
        return await self._ask(reads.progress)

    async def draws(
        self, policy: str, *, until: float, after: arrivals.Place, limit: int = 2_000
    ) -> list[arrivals.Draw]:
        """Each unit's first draw, in the order of assignment."""
        return await self._ask(arrivals.draws, policy=policy, until=until, after=after, limit=limit)

    async def answers(
        self,
        policy: str,
        arm: str,
        *,
        since: float,
        until: float,
        deadline_s: float,
        after: arrivals.Place,
        limit: int = 2_000,
    ) -> list[arrivals.Answer]:
        """The first answer of each new conversation on that arm, in the order of assignment."""
        times = {"since": since, "until": until, "deadline_s": deadline_s}
        return await self._ask(arrivals.answers, policy=policy, arm=arm, after=after, limit=limit, **times)

    async def tally(self, policy: str, arm: str, *, since: float, until: float, deadline_s: float) -> arrivals.Tally:
        """How an arm fared in the comparisons of that time."""
        times = {"since": since, "until": until, "deadline_s": deadline_s}
        return await self._ask(arrivals.tally, policy=policy, arm=arm, **times)

    async def exposure(self, policy: str, arm: str) -> dict[str, Any]:
        """Everything that an arm answered, later turns included."""
        return await self._ask(arrivals.exposure, policy=policy, arm=arm)

    async def counters(self, policy: str, *, now: float, half_life_s: float) -> dict[str, Counter]:
        """What retrieved memory entries came to, by entry id; older requests count less."""
        return await self._ask(recalls.counters, policy=policy, now=now, half_life_s=half_life_s)

    async def kept(self, name: str) -> dict[str, Any]:
        """What was last kept under that name; empty where nothing was."""
        return await self._ask(arrivals.kept, name=name)

    async def keep(self, name: str, value: dict[str, Any]) -> None:
        """Replace it whole."""
        await self._ask(arrivals.keep, name=name, value=value)


def _migrate(connection: sqlite3.Connection) -> None:
    """Columns that came later. Without `why`: whatever entered an experiment had been drawn, the rest stays open."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        columns = {row["name"] for row in connection.execute("PRAGMA table_info(assignments)")}
        if columns and "routing" not in columns:
            connection.execute("ALTER TABLE assignments ADD COLUMN routing TEXT")
        if columns and "why" not in columns:
            connection.execute("ALTER TABLE assignments ADD COLUMN why TEXT NOT NULL DEFAULT ''")
            connection.execute("UPDATE assignments SET why = 'draw' WHERE first AND arms IS NOT NULL")
        shadows = {row["name"] for row in connection.execute("PRAGMA table_info(shadows)")}
        if shadows and "model" not in shadows:
            connection.execute("ALTER TABLE shadows ADD COLUMN model TEXT NOT NULL DEFAULT ''")
