"""Two gateways of one name on one PostgreSQL: one of them works, and the other says why it doesn't."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.settings import Settings
from policies.errors import OperatorError
from policies.registry import fence
from policies.registry.values import Totals
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.scripted import provider
from tests.gateway.pipeline.test_suspension import fine
from tests.policies.registry import server


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(fence, "LEASE_S", 1.5)
    with server.running() as postgres:
        yield postgres.url()


def alike(base: str, url: str) -> Settings:
    return settings(base, registry={"url": url, "node": "shop"})


def home_of(tmp_path: Path, name: str) -> Path:
    home = tmp_path / name
    home.mkdir()
    return home


async def test_the_second_of_a_name_does_not_start_and_says_what_to_do(tmp_path: Path, url: str) -> None:
    alpha, beta = home_of(tmp_path, "alpha"), home_of(tmp_path, "beta")
    async with provider(fine) as base, running(alike(base, url), alpha) as gateway:
        with pytest.raises(OperatorError, match=r"'shop\.w0': .*/alpha \(\w+\)\. .*`registry\.node`"):
            async with running(alike(base, url), beta):
                raise AssertionError("two gateways have one name")
        assert (await gateway.ask())[0] == 200
        await gateway.worker.sync()
        assert gateway.core.fall_open.counts.get("registry", 0) == 0
        rows = await gateway.worker._registry.totals("posterior")
        assert [(row.writer, sum(row.data[""]) > 2.0) for row in rows] == [("shop.w0", True)]


async def test_one_whose_name_was_taken_over_serves_on_hears_on_and_tells_nothing(tmp_path: Path, url: str) -> None:
    alpha = home_of(tmp_path, "alpha")
    async with provider(fine) as base, running(alike(base, url), alpha) as gateway:
        registry, now = gateway.worker._registry, gateway.core.now()
        held = await registry.lease("writer:shop.w0")
        assert held is not None
        async with gateway.worker._reading:  # as a machine that was asleep: it prolongs nothing meanwhile
            other = await registry.take_lease(held.name, "beta", now=now + 60.0, until=now + 90.0)
            await registry.put_totals([Totals("posterior", "p/x", "shop.w0", 0, {"": [1, 1]}, now, now)], under=other)
        assert (await gateway.ask())[0] == 200
        await registry.set_state("freeze", {"frozen": True})
        await gateway.until(lambda: gateway.worker.snapshot.frozen)
        await gateway.until(lambda: gateway.core.fall_open.counts.get("registry", 0) > 0)
        rows = await registry.totals("posterior")
        assert [row.subject for row in rows] == ["p/x"], "nothing of its own"
