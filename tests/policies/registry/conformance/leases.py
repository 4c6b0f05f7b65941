"""Rule 7: one holder at a time, and what a former holder still wants to write is refused."""

import asyncio

import pytest

from policies.errors import ConflictError
from policies.registry import Registry
from policies.registry.values import Lease, Totals
from tests.policies.registry.conformance.base import NOW, Conformance, Connect, candidate


async def taken(registry: Registry, holder: str, *, now: float = NOW, name: str = "cycle") -> Lease | None:
    return await registry.take_lease(name, holder, now=now, until=now + 10)


class LeasesConformance(Conformance):
    async def test_it_is_one_holders_until_it_expires(self, registry: Registry) -> None:
        assert await taken(registry, "a") == Lease("cycle", "a", 1, NOW + 10)
        assert await taken(registry, "b", now=NOW + 9.9) is None
        assert await taken(registry, "b", now=NOW + 10) == Lease("cycle", "b", 2, NOW + 20)
        assert await taken(registry, "a", now=NOW + 11) is None

    async def test_its_holder_prolongs_it_even_late(self, registry: Registry) -> None:
        await taken(registry, "a")
        assert await taken(registry, "a", now=NOW + 5) == Lease("cycle", "a", 1, NOW + 15)
        assert await taken(registry, "a", now=NOW + 99) == Lease("cycle", "a", 1, NOW + 109)

    async def test_a_released_one_is_free_at_once(self, registry: Registry) -> None:
        first = await taken(registry, "a")
        assert first is not None
        await registry.release_lease(first)
        second = await taken(registry, "b")
        assert second == Lease("cycle", "b", 2, NOW + 10)
        await registry.release_lease(first)  # no longer its to give back
        assert await taken(registry, "c") is None

    async def test_names_are_apart(self, registry: Registry) -> None:
        assert await taken(registry, "a", name="one") is not None
        assert await taken(registry, "b", name="two") is not None

    async def test_one_of_many_gets_it(self, connect: Connect) -> None:
        registries = [await connect() for _ in range(4)]
        found = await asyncio.gather(*(taken(registry, f"h{n}") for n, registry in enumerate(registries)))
        assert sum(lease is not None for lease in found) == 1

    async def test_a_former_holder_writes_nothing(self, registry: Registry) -> None:
        lost = await taken(registry, "a")
        kept = await taken(registry, "b", now=NOW + 10)
        with pytest.raises(ConflictError, match="cycle"):
            await registry.add_candidate(candidate("c1"), under=lost)
        with pytest.raises(ConflictError, match="cycle"):
            await registry.set_state("x", {"by": "a"}, under=lost)
        with pytest.raises(ConflictError, match="cycle"):
            await registry.put_totals([Totals("evidence", "e1", "w0", 0, {}, NOW, NOW)], under=lost)
        assert (await registry.candidates(), await registry.state("x")) == ([], {})
        assert await registry.totals("evidence") == []
        assert await registry.add_candidate(candidate("c1"), under=kept)
        await registry.set_state("x", {"by": "b"}, under=kept)
        assert await registry.state("x") == {"by": "b"}

    async def test_pollers_do_not_hear_of_it(self, registry: Registry) -> None:
        before = await registry.changed()
        lease = await taken(registry, "a")
        assert lease is not None
        await registry.release_lease(lease)
        assert await registry.changed() == before
