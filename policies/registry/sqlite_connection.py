"""SQLite: one connection to the registry's file.

1. Rollback journal, truncated rather than deleted: with `synchronous=FULL` the truncation is synced too, so that a
   transaction is durable when it returns.
2. A write takes the file's lock when it begins (`BEGIN IMMEDIATE`); others wait for it up to the busy timeout.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiosqlite

from policies.errors import OperatorError
from policies.registry.connection import Connection, DuplicateError, Params, Transaction
from policies.registry.rows import Row
from policies.registry.sqlite_errors import is_duplicate, remedy

APPLICATION_ID = 0x45766F47  # "EvoG" in the file's header: this is a registry, not just any database


class SqliteTransaction(Transaction):
    """`Transaction` on SQLite."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self._db = db

    async def fetch(self, sql: str, params: Params | None = None) -> Sequence[Row]:
        """All rows of one statement."""
        return list(await self._db.execute_fetchall(sql, params or {}))

    async def script(self, text: str) -> None:
        """Run several statements without parameters."""
        for statement in statements(text):
            await self._db.execute(statement)

    async def _execute(self, sql: str, params: Params) -> int:
        return (await self._db.execute(sql, params)).rowcount

    async def _execute_many(self, sql: str, params: Sequence[Params]) -> int:
        return (await self._db.executemany(sql, params)).rowcount


class SqliteConnection(Connection):
    """`Connection` on SQLite.

    Args:
        path: the file.
        create: make the file where it is missing (its folder must exist).
        busy_timeout_s: how long to wait for another process's transaction.
    """

    dialect = "sqlite"
    elsewhere = "set EVOGATE_HOME to another folder"

    def __init__(self, path: Path, *, create: bool = True, busy_timeout_s: float = 5.0) -> None:
        super().__init__(str(path))
        self.path = path
        self._create = create
        self._busy_timeout_s = busy_timeout_s
        self._connection: aiosqlite.Connection | None = None

    def _meaning(self, error: Exception) -> OperatorError | DuplicateError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        if is_duplicate(error):
            return DuplicateError()
        advice = remedy(error)
        return OperatorError(f"registry {self.where}: {advice}") if advice else None

    async def _connect(self) -> None:
        file = await asyncio.to_thread(self._open_file)
        db = self._connection = await aiosqlite.Connection(lambda: file, iter_chunk_size=64)
        db.row_factory = sqlite3.Row
        await db.execute("PRAGMA journal_mode = TRUNCATE")
        await db.execute("PRAGMA synchronous = FULL")

    def _open_file(self) -> sqlite3.Connection:
        """Apart from aiosqlite's thread, which would outlive a failure here, and with it the loop."""
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={'rwc' if self._create else 'rw'}",
            uri=True,
            isolation_level=None,
            timeout=self._busy_timeout_s,
            check_same_thread=False,
        )

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    @property
    def _open(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise RuntimeError("the registry is not open; use it inside `async with`")
        return self._connection

    async def _fetch(self, sql: str, params: Params) -> Sequence[Row]:
        return await SqliteTransaction(self._open).fetch(sql, params)

    @asynccontextmanager
    async def _transaction(self, *, exclusive: bool) -> AsyncIterator[Transaction]:  # noqa: ARG002 (all are)
        db = self._open
        try:
            await db.execute("BEGIN IMMEDIATE")
            yield SqliteTransaction(db)
            await db.execute("COMMIT")
        except BaseException:
            # The connection's thread works in order: whatever a cancelled task had begun is done before this.
            await db.rollback()
            raise

    async def _schema(self) -> int | None:
        (application,) = await self._fetch("PRAGMA application_id", {})
        (version,) = await self._fetch("PRAGMA user_version", {})
        (tables,) = await self._fetch("SELECT count(*) AS number FROM sqlite_master", {})
        if application["application_id"] == APPLICATION_ID:
            return int(version["user_version"])
        empty = not (application["application_id"] or version["user_version"] or tables["number"])
        return 0 if empty else None

    async def _set_schema(self, db: Transaction, version: int) -> None:
        await db.script(f"PRAGMA user_version = {version}; PRAGMA application_id = {APPLICATION_ID};")


def statements(script: str) -> tuple[str, ...]:
    """The single statements of a script: `executescript` would commit between them."""
    found: list[str] = []
    text = ""
    for part in script.split(";")[:-1]:
        text += part + ";"
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    return tuple(found)
