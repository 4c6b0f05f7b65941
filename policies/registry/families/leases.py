"""The registry: leases, and the check that a write stands under one."""

from policies.errors import ConflictError
from policies.registry.connection import Connection, Transaction
from policies.registry.queries import queries
from policies.registry.rows import from_row, to_row
from policies.registry.values import Lease

_SQL = queries("leases")


class Leases(Connection):
    """`policies.registry.port.Leases`."""

    async def take_lease(self, name: str, holder: str, *, now: float, until: float) -> Lease | None:
        """Take or prolong it; None where somebody else holds it at `now`."""
        params = {"name": name, "holder": holder, "now": now, "until": until}
        async with self.writing(counted=False) as db:
            rows = await db.fetch(_SQL["take"], params)
        return from_row(Lease, rows[0]) if rows else None

    async def lease(self, name: str) -> Lease | None:
        """Whose it is or was last, and until when; None where nobody ever had it."""
        rows = await self.fetch(_SQL["of_name"], {"name": name})
        return from_row(Lease, rows[0]) if rows else None

    async def release_lease(self, lease: Lease) -> None:
        """Let the next one have it at once; nothing happens where it is lost already."""
        async with self.writing(counted=False) as db:
            await db.execute(_SQL["release"], to_row(lease))


async def held(db: Transaction, lease: Lease | None) -> None:
    """Inside another transaction: go on only where the lease is still this holder's; None needs none.

    Raises:
        ConflictError: somebody else has taken it.
    """
    if lease is not None and not await db.fetch(_SQL["hold"], to_row(lease)):
        raise ConflictError(f"the lease '{lease.name}' is another's by now: what {lease.holder} began is not its own")
