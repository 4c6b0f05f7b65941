"""Memory snapshots are stored once under their content's name, read back to the byte, and dropped only when old."""

from dataclasses import replace

import pytest

from policies.errors import NotFoundError
from policies.memory import Entry, snapshot_hash
from policies.memory.lines import pack, unpack
from policies.registry import Registry
from policies.registry.values import MemorySnapshot
from tests.policies.registry.conformance.base import NOW, Conformance, Connect

ENTRIES = [Entry("é", "Refunds take 14 days.", ("money",), sources=("r1",)), Entry("b", "old", state="deprecated")]
HASH = snapshot_hash(ENTRIES)
SNAPSHOT = MemorySnapshot("support", HASH, "", NOW, "evolver", "learnt", 1, {"operations": [{"kind": "add"}]})


class MemoriesConformance(Conformance):
    async def test_a_snapshot_comes_back_as_it_was(self, registry: Registry, connect: Connect) -> None:
        assert await registry.add_memory(SNAPSHOT, pack(ENTRIES))
        other = await connect()
        assert await other.memories("support") == [SNAPSHOT]
        assert list(unpack(await other.memory("support", HASH), "here")) == ENTRIES
        assert await other.memories("another") == []

    async def test_the_same_content_is_stored_once(self, registry: Registry) -> None:
        assert await registry.add_memory(SNAPSHOT, pack(ENTRIES))
        before = await registry.changed()
        assert not await registry.add_memory(replace(SNAPSHOT, why="again", at=NOW + 1), b"something else")
        assert await registry.memories("support") == [SNAPSHOT]
        assert await registry.memory("support", HASH) == pack(ENTRIES)
        assert await registry.changed() == before

    async def test_policies_keep_theirs_apart(self, registry: Registry) -> None:
        await registry.add_memory(SNAPSHOT, pack(ENTRIES))
        with pytest.raises(NotFoundError, match=HASH):
            await registry.memory("another", HASH)
        assert await registry.add_memory(replace(SNAPSHOT, policy="another"), b"x")
        assert await registry.memory("another", HASH) == b"x"

    async def test_what_is_new_or_kept_is_not_dropped(self, registry: Registry) -> None:
        for number, name in enumerate(("a", "b", "c")):
            await registry.add_memory(replace(SNAPSHOT, hash=name * 32, at=NOW + number), b"x")
        await registry.add_memory(replace(SNAPSHOT, policy="another"), b"x")
        assert await registry.drop_memories("support", keep={"b" * 32}, before=NOW + 2) == 1
        assert [one.hash for one in await registry.memories("support")] == ["b" * 32, "c" * 32]
        assert len(await registry.memories("another")) == 1
