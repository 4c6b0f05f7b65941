"""A writer's name is one process's: the second waits, takes over what has run out, or says what to do."""

import pytest

from policies.errors import ConflictError, OperatorError
from policies.registry import Registry
from policies.registry.fence import LEASE_S, Fence
from policies.registry.values import Totals
from tests.policies.registry.conformance.base import NOW, Conformance, Connect


class Machine:
    """A gateway's process on a machine, with a clock in one's hand; what others do while it waits is `meanwhile`."""

    def __init__(self, registry: Registry, holder: str, now: float = NOW) -> None:
        self.registry = registry
        self.now = now
        self.waited = 0.0
        self.meanwhile: Machine | None = None
        self.fence = Fence(registry, "shop.w0", holder, lambda: self.now, self._pause)

    async def _pause(self, seconds: float) -> None:
        self.now += seconds
        self.waited += seconds
        if self.meanwhile is not None:
            self.meanwhile.now = self.now
            await self.meanwhile.tell(1)

    async def tell(self, number: int) -> None:
        """One row, as a writer replaces it each time."""
        row = Totals("evidence", "e1", "shop.w0", -1, {"n": number}, self.now, self.now)
        await self.registry.put_totals([row], under=await self.fence.keep())


async def told(registry: Registry) -> list[int]:
    return [row.data["n"] for row in await registry.totals("evidence", "e1")]


class FencesConformance(Conformance):
    async def test_a_lease_says_whose_it_is(self, registry: Registry) -> None:
        assert await registry.lease("writer:shop.w0") is None
        machine = Machine(registry, "alpha")
        await machine.fence.take()
        held = await registry.lease("writer:shop.w0")
        assert held == await machine.fence.keep()
        assert held is not None
        assert (held.holder, held.until) == ("alpha", NOW + LEASE_S)

    async def test_the_second_of_a_name_is_told_who_the_first_is_and_what_to_do(self, connect: Connect) -> None:
        first, second = Machine(await connect(), "alpha:/data (1)"), Machine(await connect(), "alpha:/data (2)")
        await first.fence.take()
        await first.tell(0)
        second.meanwhile = first
        with pytest.raises(OperatorError, match=r"'shop\.w0': alpha:/data \(1\).*`registry\.node`"):
            await second.fence.take()
        assert second.waited <= LEASE_S
        with pytest.raises(ConflictError):
            await second.tell(9)
        await first.tell(2)
        assert await told(first.registry) == [2]

    async def test_it_takes_over_what_has_run_out_and_the_first_writes_no_more(self, connect: Connect) -> None:
        first, second = Machine(await connect(), "alpha"), Machine(await connect(), "beta")
        await first.fence.take()
        await first.tell(1)
        await second.fence.take()
        assert LEASE_S <= second.waited <= LEASE_S + 1.0, "nobody prolonged it"
        await second.tell(2)
        first.now += 2.0  # it was paused, and its own clock says that there is time left
        with pytest.raises(ConflictError, match=r"shop\.w0"):
            await first.tell(3)
        assert await told(second.registry) == [2]
        await second.fence.release()
        first.now = second.now + 1.0
        with pytest.raises(ConflictError, match=r"start this one again.*`registry\.node`"):
            await first.tell(3)
        for _ in range(2):
            with pytest.raises(ConflictError, match="start this one again"):
                await first.tell(4)
        assert await told(second.registry) == [2], "its sums do not follow on the other's"

    async def test_a_restart_in_the_same_place_goes_on_at_once(self, connect: Connect) -> None:
        crashed = Machine(await connect(), "alpha")
        await crashed.fence.take()
        again = Machine(await connect(), "alpha", NOW + 1.0)
        await again.fence.take()
        await again.tell(1)
        assert again.waited == 0.0

    async def test_a_name_that_was_given_back_is_free_at_once(self, connect: Connect) -> None:
        first, second = Machine(await connect(), "alpha"), Machine(await connect(), "beta", NOW + 1.0)
        await first.fence.take()
        await first.fence.release()
        await second.fence.take()
        assert second.waited == 0.0

    async def test_it_is_prolonged_in_time_and_seldom(self, registry: Registry) -> None:
        machine, untils = Machine(registry, "alpha"), set()
        await machine.fence.take()
        for _ in range(60):
            machine.now += 1.0
            lease = await machine.fence.keep()
            untils.add(lease.until)
            assert lease.until > machine.now + LEASE_S / 2
        assert len(untils) <= 60 / (LEASE_S / 3) + 1
