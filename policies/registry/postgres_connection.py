"""PostgreSQL: one connection to a fleet's database.

1. An exclusive write takes an advisory lock when it begins; each of its statements sees all that was committed before.
   Totals need no lock: they are rows of one writer.
2. A connection that has gone is opened anew by the next read or write. What it cuts off in the middle is raised, and
   the server rolls it back; where its answer to a COMMIT was lost it may have happened. Callers repeat what failed, and
   compare-and-set makes that harmless.
3. Nothing waits for ever: the server gives up on locks, statements and idle transactions, the client on the server.
4. One that is opened `late` connects, and brings the schema up, with the first read or write that reaches the server.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, Self, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from policies.errors import AwayError, OperatorError
from policies.registry.connection import Connection, DuplicateError, Params, Transaction
from policies.registry.postgres_errors import is_away, remedy
from policies.registry.postgres_text import adapt
from policies.registry.rows import Row

LOCK = 0x45766F47  # "EvoG": the advisory lock of whoever writes
_PARAMETER = re.compile(r"(?<![:\w]):(\w+)")

Db = psycopg.AsyncConnection[DictRow]
T = TypeVar("T")


class PostgresTransaction(Transaction):
    """`Transaction` on PostgreSQL."""

    def __init__(self, db: Db) -> None:
        self._db = db

    async def fetch(self, sql: str, params: Params | None = None) -> Sequence[Row]:
        """All rows of one statement."""
        return await (await self._db.execute(translated(sql), params or {})).fetchall()

    async def script(self, text: str) -> None:
        """Run several statements without parameters."""
        await self._db.execute(text.encode())

    async def _execute(self, sql: str, params: Params) -> int:
        return (await self._db.execute(translated(sql), params)).rowcount

    async def _execute_many(self, sql: str, params: Sequence[Params]) -> int:
        async with self._db.cursor() as cursor:
            await cursor.executemany(translated(sql), params)
            return cursor.rowcount


class PostgresConnection(Connection):
    """`Connection` on PostgreSQL.

    Args:
        url: where the database is, as libpq takes it; its tables are in the first schema of the user's search_path.
        timeout_s: how long to wait for another process's write; the server has twice as long for a whole transaction.
        late: entering it needs no server.

    Raises:
        OperatorError: the URL is none.
    """

    dialect = "postgres"
    elsewhere = "name another database in registry.url"

    def __init__(self, url: str, *, timeout_s: float = 5.0, late: bool = False) -> None:
        self._options = _options(url, timeout_s)
        super().__init__(_without_secrets(self._options))
        self._timeout_s = timeout_s
        self._connection: Db | None = None
        self._late = late

    async def __aenter__(self) -> Self:
        """Open and migrate, unless it is `late`.

        Raises:
            AwayError: the server can't be reached. OperatorError: see `Connection`.
        """
        return self if self._late else await super().__aenter__()

    def _meaning(self, error: Exception) -> OperatorError | DuplicateError | None:
        if isinstance(error, TimeoutError):
            return AwayError(f"registry {self.where}: it does not answer; look at the server and the way to it")
        if isinstance(error, psycopg.errors.UniqueViolation):
            return DuplicateError()
        advice = remedy(error) if isinstance(error, psycopg.Error) else None
        if advice is None or not isinstance(error, psycopg.Error):
            return None
        return (AwayError if is_away(error) else OperatorError)(f"registry {self.where}: {advice}")

    async def _connect(self) -> None:
        db = await psycopg.AsyncConnection.connect(
            **self._options, autocommit=True, row_factory=dict_row, prepare_threshold=None
        )
        adapt(db)
        self._connection = db
        if (encoding := db.info.parameter_status("server_encoding")) != "UTF8":
            await db.close()
            raise OperatorError(f"registry {self.where}: its encoding is {encoding}; create it with `createdb -E UTF8`")

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    @property
    def _open(self) -> Db:
        if self._connection is None:
            raise RuntimeError("the registry is not open; use it inside `async with`")
        return self._connection

    async def _first(self, step: Callable[[Db], Awaitable[T]]) -> T:
        """A transaction's first step; where the connection has gone since the last one, on a fresh one."""
        if self._late:
            await self._arrive()
        gone = self._open.closed
        if not gone:
            try:
                return await step(self._open)
            except psycopg.OperationalError:
                if not self._open.closed:
                    raise
        await self._connect()
        return await step(self._open)

    async def _arrive(self) -> None:
        """Open and migrate, now that something is asked."""
        self._late = False
        try:
            await self._connect()
            await self._bring_up()
        except BaseException:
            self._late = True
            await self._disconnect()
            raise

    async def _fetch(self, sql: str, params: Params) -> Sequence[Row]:
        async with asyncio.timeout(2 * self._timeout_s):
            return await self._first(lambda db: PostgresTransaction(db).fetch(sql, params))

    @asynccontextmanager
    async def _transaction(self, *, exclusive: bool) -> AsyncIterator[Transaction]:
        begin = f"BEGIN; SELECT pg_advisory_xact_lock({LOCK})" if exclusive else "BEGIN"
        async with asyncio.timeout(2 * self._timeout_s):
            try:
                await self._first(lambda db: db.execute(begin.encode()))
                yield PostgresTransaction(self._open)
                await self._open.execute("COMMIT")
            except BaseException:
                await self._abandon(self._open)
                raise

    async def _abandon(self, db: Db) -> None:
        """Roll back, if need be by closing the connection."""
        try:
            await db.rollback()
        except psycopg.Error:
            await db.close()
        except BaseException:
            await db.close()
            raise

    async def _schema(self) -> int | None:
        (found,) = await self._fetch(
            "SELECT to_regclass('evogate_registry') IS NOT NULL AS ours,"
            " EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = current_schema()) AS used",
            {},
        )
        if not found["ours"]:
            return None if found["used"] else 0
        (row,) = await self._fetch("SELECT schema_version FROM evogate_registry", {})
        return int(row["schema_version"])

    async def _set_schema(self, db: Transaction, version: int) -> None:
        await db.execute("UPDATE evogate_registry SET schema_version = :version", {"version": version})


@cache
def translated(sql: str) -> bytes:
    """A statement with its parameters as the driver names them."""
    return _PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%")).encode()


def _options(url: str, timeout_s: float) -> dict[str, Any]:
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # whose words hold the URL, password included
        raise OperatorError("registry.url: not understood; write postgresql://user:${PASSWORD}@host/database") from None
    limits = {
        "lock_timeout": timeout_s,
        "statement_timeout": 2 * timeout_s,
        "idle_in_transaction_session_timeout": 2 * timeout_s,
    }
    settings = [f"-c {name}={seconds * 1000:.0f}" for name, seconds in limits.items()]
    ours = {"application_name": "evogate", "connect_timeout": max(2, round(timeout_s)), "client_encoding": "UTF8"}
    return {**ours, **given, "options": " ".join([*settings, str(given.get("options", ""))])}


def _without_secrets(options: dict[str, Any]) -> str:
    user = f"{options['user']}@" if "user" in options else ""
    port = f":{options['port']}" if "port" in options else ""
    return f"postgresql://{user}{options.get('host', '')}{port}/{options.get('dbname', '')}"
