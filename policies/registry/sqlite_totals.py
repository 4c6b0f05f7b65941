"""SQLite: totals of evidence and posteriors."""

from policies.registry.sqlite_connection import SqliteConnection
from policies.registry.sqlite_queries import queries
from policies.registry.sqlite_rows import from_row, to_row
from policies.registry.values import Totals

_SQL = queries("totals")


class SqliteTotals(SqliteConnection):
    """`policies.registry.port.TotalsStore`."""

    async def put_totals(self, rows: list[Totals]) -> None:
        """Insert or replace, all in one transaction."""
        if not rows:
            return
        async with self.writing(counted=False) as db:
            await db.executemany(_SQL["put"], [to_row(row) for row in rows])

    async def totals(self, kind: str, subject: str | None = None) -> list[Totals]:
        """Every writer's rows."""
        name = "of_kind" if subject is None else "of_subject"
        params = {"kind": kind} if subject is None else {"kind": kind, "subject": subject}
        return [from_row(Totals, row) for row in await self.fetch(_SQL[name], params)]
