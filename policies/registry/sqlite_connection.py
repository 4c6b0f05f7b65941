"""One connection to the registry's file: opening, migrating, and transactions.

1. Rollback journal, truncated rather than deleted: with `synchronous=FULL` the truncation is synced too, so that a
   transaction is durable when it returns.
2. A write takes the lock when it begins (`BEGIN IMMEDIATE`): nothing read inside it is stale, and no deadlock comes
   of upgrading. Others wait for it up to the busy timeout, so nothing slow may happen inside.
3. Tasks of one process share the connection one transaction at a time.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiosqlite

from policies.errors import OperatorError
from policies.registry.sqlite_errors import operator_errors
from policies.registry.sqlite_queries import migrations, queries

APPLICATION_ID = 0x45766F47  # "EvoG" in the file's header: this is a registry, not just any database

Row = sqlite3.Row
Params = dict[str, Any]


class SqliteConnection:
    """What the families of the adapter build on.

    Args:
        path: the file.
        create: make the file where it is missing (its folder must exist).
        busy_timeout_s: how long to wait for another process's transaction.
    """

    def __init__(self, path: Path, *, create: bool = True, busy_timeout_s: float = 5.0) -> None:
        self.path = path
        self._create = create
        self._busy_timeout_s = busy_timeout_s
        self._turn = asyncio.Lock()
        self._connection: aiosqlite.Connection | None = None

    async def __aenter__(self) -> Self:
        """Open and migrate.

        Raises:
            OperatorError: the file can't be opened, is no registry, or was written by a newer EvoGate.
        """
        with operator_errors(self.path):
            file = await asyncio.to_thread(self._open_file)
            self._connection = await aiosqlite.Connection(lambda: file, iter_chunk_size=64)
            try:
                await self._prepare(self._connection)
            except BaseException:
                await self.__aexit__()
                raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def fetch(self, sql: str, params: Params | None = None) -> list[Row]:
        """Read with one statement, which is one transaction."""
        async with self._turn:
            with operator_errors(self.path):
                return await fetch(self._open, sql, params)

    @asynccontextmanager
    async def writing(self, *, counted: bool = True) -> AsyncIterator[aiosqlite.Connection]:
        """A write transaction: committed at the end, rolled back on any exception, cancellation included.

        Where it changed a row and is `counted`, `changed()` differs afterwards.
        """
        async with self._turn:
            with operator_errors(self.path):
                async with _transaction(self._open) as db:
                    before = db.total_changes
                    yield db
                    if counted and db.total_changes != before:
                        await db.execute(queries("audit")["count_change"])

    def _open_file(self) -> sqlite3.Connection:
        """Apart from aiosqlite's thread, which would outlive a failure here, and with it the loop."""
        return sqlite3.connect(
            f"{self.path.absolute().as_uri()}?mode={'rwc' if self._create else 'rw'}",
            uri=True,
            isolation_level=None,
            timeout=self._busy_timeout_s,
            check_same_thread=False,
        )

    @property
    def _open(self) -> aiosqlite.Connection:
        if self._connection is None:
            raise RuntimeError("the registry is not open; use it inside `async with`")
        return self._connection

    async def _prepare(self, db: aiosqlite.Connection) -> None:
        db.row_factory = sqlite3.Row
        await db.execute("PRAGMA journal_mode = TRUNCATE")
        await db.execute("PRAGMA synchronous = FULL")
        if await self._schema(db) < len(migrations()):
            async with _transaction(db):
                await self._migrate(db)

    async def _migrate(self, db: aiosqlite.Connection) -> None:
        """Bring the schema up, in one transaction; another process may have done so meanwhile."""
        here = await self._schema(db)
        for version, script in enumerate(migrations()[here:], here + 1):
            for statement in script:
                await db.execute(statement)
            await db.execute(f"PRAGMA user_version = {version}")
        await db.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    async def _schema(self, db: aiosqlite.Connection) -> int:
        """The schema version of the file, 0 for an empty one."""
        application, version, tables = [
            (await fetch(db, sql))[0][0]
            for sql in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        ]
        if application != APPLICATION_ID and (application or version or tables):
            raise OperatorError(
                f"registry {self.path}: this database belongs to another program; set EVOGATE_HOME to another folder"
            )
        if version > len(migrations()):
            raise OperatorError(
                f"registry {self.path}: written by a newer EvoGate (schema {version}; this one knows "
                f"{len(migrations())}); upgrade this one, or set EVOGATE_HOME to another folder"
            )
        return int(version)


async def fetch(db: aiosqlite.Connection, sql: str, params: Params | None = None) -> list[Row]:
    """All rows of one statement."""
    rows: Iterable[Row] = await db.execute_fetchall(sql, params or {})
    return list(rows)


@asynccontextmanager
async def _transaction(db: aiosqlite.Connection) -> AsyncIterator[aiosqlite.Connection]:
    try:
        await db.execute("BEGIN IMMEDIATE")
        yield db
        await db.execute("COMMIT")
    except BaseException:
        # The connection's thread works in order: whatever a cancelled task had begun is done before this.
        await db.rollback()
        raise
