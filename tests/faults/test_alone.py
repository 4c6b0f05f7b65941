"""One upstream, nothing to fall back on: the right answer, or an error that says so. And the gateway goes on."""

from pathlib import Path

import openai
import pytest

from tests.faults import wire
from tests.faults.catalogue import ALL, FINE, Fault, Shape, Told
from tests.faults.clients import Got, official, on_the_wire
from tests.faults.conftest import alone

CASES = [pytest.param(fault, shape, id=f"{fault.id}-{shape}") for fault in ALL for shape in fault.alone]


def _before_the_head(got: Got, told: Told) -> bool:
    """A stream that failed before anything of it had gone out: a status of its own tells more than an event."""
    return told.status == 200 and got.status >= 500 and not got.text


@pytest.mark.parametrize(("fault", "shape"), CASES)
async def test_what_a_client_is_told(fault: Fault, shape: Shape, tmp_path: Path) -> None:
    told = fault.alone[shape]
    async with alone(fault, shape, tmp_path) as (upstream, gateway):
        got = await on_the_wire(gateway.http, gateway.url, shape)
        assert got.text == wire.TEXT or not got.whole
        assert got.code == told.code
        assert got.status == told.status or _before_the_head(got, told)
        assert got.code is None or told.ours is None or got.ours is told.ours
        (recorded,) = gateway.frames("outcome")
        assert (recorded["failure"], recorded["status"], recorded["attempts"]) == (told.failure, got.status, 1)
        assert len(upstream.visits) == 1

        upstream.play(FINE[shape])
        after = await on_the_wire(gateway.http, gateway.url, shape)
        assert (after.whole, after.text) == (True, wire.TEXT)
        assert gateway.frames("outcome")[1]["failure"] is None


@pytest.mark.parametrize(("fault", "shape"), CASES)
async def test_what_the_official_client_makes_of_it(fault: Fault, shape: Shape, tmp_path: Path) -> None:
    told = fault.alone[shape]
    async with alone(fault, shape, tmp_path) as (_, gateway):
        got = await official(gateway.openai, shape)
        if told.code is None:
            assert got == wire.TEXT
        else:
            assert isinstance(got, openai.APIError), got
            assert got.code == told.code


async def test_a_failed_request_costs_nothing(tmp_path: Path) -> None:
    """S16 with one upstream: no token and no cent goes on record for an answer that never came."""
    fault = next(fault for fault in ALL if fault.id == "S16")
    async with alone(fault, "stream", tmp_path) as (_, gateway):
        await on_the_wire(gateway.http, gateway.url, "stream")
        (recorded,) = gateway.frames("outcome")
        assert (recorded["cost_usd"], recorded["input_tokens"], recorded["output_tokens"]) == (0.0, 0, 0)
