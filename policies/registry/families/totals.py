"""The registry: totals of evidence and posteriors."""

from policies.registry.connection import Connection
from policies.registry.families.leases import held
from policies.registry.queries import queries
from policies.registry.rows import from_row, to_row
from policies.registry.values import Lease, Totals

_SQL = queries("totals")


class TotalsStore(Connection):
    """`policies.registry.port.TotalsStore`."""

    async def put_totals(self, rows: list[Totals], *, under: Lease | None = None) -> None:
        """Insert or replace, all in one transaction.

        Raises:
            ConflictError: the lease `under` which it was made has changed hands.
        """
        if not rows:
            return
        async with self.writing(counted=False, exclusive=False) as db:
            await held(db, under)
            await db.execute_many(_SQL["put"], [to_row(row) for row in rows])

    async def totals(self, kind: str, subject: str | None = None) -> list[Totals]:
        """Every writer's rows."""
        name = "of_kind" if subject is None else "of_subject"
        params = {"kind": kind} if subject is None else {"kind": kind, "subject": subject}
        return [from_row(Totals, row) for row in await self.fetch(_SQL[name], params)]
