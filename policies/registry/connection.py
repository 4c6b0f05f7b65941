"""What the families build on: one connection to a database, whatever its dialect.

1. A write holds the whole registry from its beginning: nothing read inside it is stale, and no deadlock comes of
   upgrading. Others wait for it, so nothing slow may happen inside.
2. Tasks of one process share the connection one transaction at a time.
3. Statements name their parameters `:so`, and stay within what every dialect understands.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any, Self

from policies.errors import OperatorError
from policies.registry.queries import migrations, queries
from policies.registry.rows import Row

Params = dict[str, Any]


class DuplicateError(Exception):
    """A row of the same key is there already."""


class Transaction(ABC):
    """An open one. `changed` counts the rows that its statements have changed."""

    changed = 0

    async def execute(self, sql: str, params: Params | None = None) -> int:
        """Change something; how many rows that were."""
        return self._counted(await self._execute(sql, params or {}))

    async def execute_many(self, sql: str, params: Sequence[Params]) -> int:
        """The same change with each of the parameters; how many rows that were."""
        return self._counted(await self._execute_many(sql, params))

    def _counted(self, rows: int) -> int:
        self.changed += rows
        return rows

    @abstractmethod
    async def fetch(self, sql: str, params: Params | None = None) -> Sequence[Row]:
        """All rows of one statement."""

    @abstractmethod
    async def script(self, text: str) -> None:
        """Run several statements without parameters."""

    @abstractmethod
    async def _execute(self, sql: str, params: Params) -> int: ...

    @abstractmethod
    async def _execute_many(self, sql: str, params: Sequence[Params]) -> int: ...


class Connection(ABC):
    """Opening, migrating and transactions; the adapters fill in their dialect.

    Args:
        where: the store, as messages name it.
    """

    dialect: str  # the folder of its migrations
    elsewhere: str  # what an operator does to use another store

    def __init__(self, where: str) -> None:
        self.where = where
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open and migrate.

        Raises:
            OperatorError: the store can't be opened, is no registry, or was written by a newer EvoGate.
        """
        with self._errors():
            try:
                await self._connect()
                await self._bring_up()
            except BaseException:
                await self._disconnect()
                raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        """Close."""
        await self._disconnect()

    async def fetch(self, sql: str, params: Params | None = None) -> Sequence[Row]:
        """Read with one statement, which is one transaction."""
        async with self._turn:
            with self._errors():
                return await self._fetch(sql, params or {})

    @asynccontextmanager
    async def writing(self, *, counted: bool = True, exclusive: bool = True) -> AsyncIterator[Transaction]:
        """A write transaction: committed at the end, rolled back on any exception, cancellation included.

        Where it changed a row and is `counted`, `changed()` differs afterwards. One that is not `exclusive` changes
        nothing that others write or that hangs together with other rows; it need not wait for them.
        """
        async with self._turn:
            with self._errors():
                async with self._transaction(exclusive=exclusive) as db:
                    yield db
                    if counted and db.changed:
                        await db.execute(queries("audit")["count_change"])

    async def _bring_up(self) -> None:
        """Migrate in one transaction; another process may have done so meanwhile."""
        scripts = migrations(self.dialect)
        if await self._known_schema(len(scripts)) == len(scripts):
            return
        async with self._transaction(exclusive=True) as db:
            here = await self._known_schema(len(scripts))
            for script in scripts[here:]:
                await db.script(script)
            await self._set_schema(db, len(scripts))

    async def _known_schema(self, newest: int) -> int:
        version = await self._schema()
        if version is None:
            raise OperatorError(f"registry {self.where}: this database belongs to another program; {self.elsewhere}")
        if version > newest:
            raise OperatorError(
                f"registry {self.where}: written by a newer EvoGate (schema {version}; this one knows {newest}); "
                f"upgrade this one, or {self.elsewhere}"
            )
        return version

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what the driver says into what it means; mistakes of this code pass unchanged."""
        try:
            yield
        except Exception as error:
            meant = self._meaning(error)
            if meant is None:
                raise
            raise meant from error

    @abstractmethod
    def _meaning(self, error: Exception) -> OperatorError | DuplicateError | None:
        """What an error of the driver is to an operator or a family; None where it is neither's."""

    @abstractmethod
    async def _connect(self) -> None: ...

    @abstractmethod
    async def _disconnect(self) -> None: ...

    @abstractmethod
    async def _fetch(self, sql: str, params: Params) -> Sequence[Row]: ...

    @abstractmethod
    def _transaction(self, *, exclusive: bool) -> AbstractAsyncContextManager[Transaction]: ...

    @abstractmethod
    async def _schema(self) -> int | None:
        """The schema's version as it is seen now, 0 in an empty store; None where the store is no registry."""

    @abstractmethod
    async def _set_schema(self, db: Transaction, version: int) -> None: ...
