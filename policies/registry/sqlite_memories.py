"""SQLite: memory snapshots."""

import json
from collections.abc import Collection

from policies.errors import NotFoundError
from policies.registry.sqlite_audit import append_note
from policies.registry.sqlite_connection import SqliteConnection
from policies.registry.sqlite_queries import queries
from policies.registry.sqlite_rows import from_row, to_row
from policies.registry.trail import memory_added
from policies.registry.values import MemorySnapshot

_SQL = queries("memories")


class SqliteMemories(SqliteConnection):
    """`policies.registry.port.Memories`."""

    async def add_memory(self, snapshot: MemorySnapshot, content: bytes) -> bool:
        """Store one; False (and nothing stored) where the same content is there."""
        async with self.writing() as db:
            added = (await db.execute(_SQL["add"], to_row(snapshot, content=content))).rowcount == 1
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
            params = {"policy": policy, "keep": json.dumps(sorted(keep)), "before": before}
            return int((await db.execute(_SQL["drop"], params)).rowcount)
