"""The registry: memory snapshots."""

from collections.abc import Collection

from policies.errors import NotFoundError
from policies.registry.connection import Connection
from policies.registry.families.audit import append_note
from policies.registry.queries import queries
from policies.registry.rows import from_row, to_row
from policies.registry.trail import memory_added
from policies.registry.values import MemorySnapshot

_SQL = queries("memories")


class Memories(Connection):
    """`policies.registry.port.Memories`."""

    async def add_memory(self, snapshot: MemorySnapshot, content: bytes) -> bool:
        """Store one; False (and nothing stored) where the same content is there."""
        async with self.writing() as db:
            added = await db.execute(_SQL["add"], to_row(snapshot, content=content)) == 1
            if added:
                await append_note(db, memory_added(snapshot))
            return added

    async def memory(self, policy: str, digest: str) -> bytes:
        """Its packed lines.

        Raises:
            NotFoundError: no such snapshot.
        """
        rows = await self.fetch(_SQL["content"], {"policy": policy, "hash": digest})
        if not rows:
            raise NotFoundError(
                f"policy '{policy}' has no memory snapshot {digest}; import it, or roll the memory layer back"
            )
        return bytes(rows[0]["content"])

    async def memories(self, policy: str) -> list[MemorySnapshot]:
        """Oldest first."""
        return [from_row(MemorySnapshot, row) for row in await self.fetch(_SQL["all"], {"policy": policy})]

    async def drop_memories(self, policy: str, *, keep: Collection[str], before: float) -> int:
        """Remove those that are older and not to be kept; how many they were."""
        async with self.writing() as db:
            old = await db.fetch(_SQL["older"], {"policy": policy, "before": before})
            dropped = [{"policy": policy, "hash": row["hash"]} for row in old if row["hash"] not in keep]
            return await db.execute_many(_SQL["drop"], dropped)
