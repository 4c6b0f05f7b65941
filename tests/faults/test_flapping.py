"""S15: a provider that is down for a while, and healthy again. Nobody hangs, and it is found again."""

import asyncio
from pathlib import Path

from tests.faults import wire
from tests.faults.catalogue import FINE, Fault
from tests.faults.clients import Got, on_the_wire
from tests.faults.conftest import alone
from tests.faults.rescue import SPARE, rescued
from tests.gateway.pipeline.conftest import Running

DOWN = wire.error("503 Service Unavailable", "overloaded", "overloaded")
FLAPPING = Fault("S15", "down, then healthy", ((DOWN,),), ((DOWN,),), {})
OUTAGE = 12


async def _ask(gateway: Running, times: int = 1) -> list[Got]:
    return [await on_the_wire(gateway.http, gateway.url, "stream") for _ in range(times)]


async def _until_by(gateway: Running, model: str) -> None:
    """Keep asking until this model answers."""
    async with asyncio.timeout(30):
        while (await _ask(gateway))[0].model != model:
            pass


async def test_alone_every_request_is_told_and_the_provider_is_found_again(tmp_path: Path) -> None:
    async with alone(FLAPPING, "stream", tmp_path) as (upstream, gateway):
        assert {got.status for got in await _ask(gateway, OUTAGE)} == {503}
        assert 1 <= len(upstream.visits) <= OUTAGE
        upstream.play(FINE["stream"])
        await _until_by(gateway, wire.MODEL)


async def test_the_spare_answers_meanwhile_and_the_provider_is_found_again(tmp_path: Path) -> None:
    async with rescued(FLAPPING, "stream", tmp_path) as (primary, spare, gateway):
        assert {(got.whole, got.model) for got in await _ask(gateway, OUTAGE)} == {(True, SPARE)}
        assert len(spare.visits) == OUTAGE
        assert len(primary.visits) < 2 * OUTAGE  # a circuit that opens spares the provider, too
        primary.play(FINE["stream"])
        await _until_by(gateway, wire.MODEL)
