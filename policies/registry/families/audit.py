"""The registry: notes, named states and the counter of changes."""

import json
from typing import Any

from policies.registry.connection import Connection, Transaction
from policies.registry.families.leases import held
from policies.registry.queries import queries
from policies.registry.rows import encode, from_row, to_row
from policies.registry.trail import linked
from policies.registry.values import Lease, Note

_SQL = queries("audit")


class Audit(Connection):
    """`policies.registry.port.Audit`."""

    async def note(self, note: Note) -> None:
        """Append a line."""
        async with self.writing() as db:
            await append_note(db, note)

    async def notes(self, policy: str | None = None, *, limit: int = 1000) -> list[Note]:
        """The last `limit` lines, oldest first."""
        return [from_row(Note, row) for row in await self.fetch(_SQL["notes"], {"policy": policy, "limit": limit})]

    async def state(self, name: str) -> dict[str, Any]:
        """A named state, empty where it was never set. `"freeze"` holds {"frozen": bool, "who", "why", "at"}."""
        rows = await self.fetch(_SQL["state"], {"name": name})
        found: dict[str, Any] = json.loads(rows[0]["value"]) if rows else {}
        return found

    async def set_state(self, name: str, value: dict[str, Any], *, under: Lease | None = None) -> None:
        """Replace it whole.

        Raises:
            ConflictError: the lease `under` which it was made has changed hands.
        """
        async with self.writing() as db:
            await held(db, under)
            await db.execute(_SQL["set_state"], {"name": name, "value": encode(value)})

    async def changed(self) -> int:
        """A number that differs after every write other than those of totals and leases."""
        (row,) = await self.fetch(_SQL["changes"])
        return int(row["changes"])


async def append_note(db: Transaction, note: Note) -> None:
    """Append a line inside another transaction, linked to the last one."""
    last = await db.fetch(_SQL["last_link"])
    await db.execute(_SQL["note"], to_row(linked(last[0]["link"] if last else "", note)))
