"""Retries and a spare upstream: the faults of the catalogue end in the right answer, told as what it is."""

from itertools import pairwise
from pathlib import Path

import openai
import pytest

from tests.faults import wire
from tests.faults.catalogue import ALL, BENCH, Fault, Shape
from tests.faults.clients import Got, official, on_the_wire
from tests.faults.rescue import SPARE, rescued

CASES = [pytest.param(fault, shape, id=f"{fault.id}-{shape}") for fault in ALL for shape in fault.alone]


@pytest.mark.parametrize(("fault", "shape"), CASES)
async def test_what_a_client_is_told(fault: Fault, shape: Shape, tmp_path: Path) -> None:
    async with rescued(fault, shape, tmp_path) as (primary, spare, gateway):
        got = await on_the_wire(gateway.http, gateway.url, shape)
        assert 1 <= len(primary.visits) <= fault.rescue.asked
        (recorded,) = gateway.frames("outcome")
        assert recorded["attempts"] == len(primary.visits) + len(spare.visits)
        if fault.rescue.by == "nobody":
            assert (got.status, got.code) == (fault.alone[shape].status, fault.alone[shape].code)
            assert (recorded["failure"], len(spare.visits)) == (fault.alone[shape].failure, 0)
            return
        _is_the_answer_of(got, spare=bool(spare.visits))
        assert recorded["model"] == got.model
        assert fault.rescue.by == "either" or bool(spare.visits) is (fault.rescue.by == "spare")


def _is_the_answer_of(got: Got, *, spare: bool) -> None:
    """Once, whole, and under the name and with the usage of who answered."""
    assert (got.status, got.whole, got.text) == (200, True, wire.TEXT)
    assert got.model == (SPARE if spare else wire.MODEL)
    assert got.usage is None or got.usage["completion_tokens"] == len(wire.WORDS)


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "shape"), CASES)
async def test_what_the_official_client_makes_of_it(fault: Fault, shape: Shape, tmp_path: Path) -> None:
    async with rescued(fault, shape, tmp_path) as (_, _, gateway):
        got = await official(gateway.openai, shape)
        assert isinstance(got, openai.APIError) if fault.rescue.by == "nobody" else got == wire.TEXT


@pytest.mark.parametrize("name", ["S08", "S09", "S10", "S14"])
async def test_no_other_answer_is_glued_to_what_was_sent(name: str, tmp_path: Path) -> None:
    """The spare says something else: what the client has stays the beginning of one answer, and the error says so."""
    fault = next(fault for fault in BENCH if fault.id == name)
    other = "Quite another story altogether."
    async with rescued(fault, "stream", tmp_path, text=other) as (_, _, gateway):
        got = await on_the_wire(gateway.http, gateway.url, "stream")
        if got.whole:  # nothing had been sent yet
            assert got.text == other
        else:
            assert got.code in {fault.alone["stream"].code, "diverged"}
            assert wire.TEXT.startswith(got.text)


async def test_a_wait_that_the_provider_asks_for_is_kept(tmp_path: Path) -> None:
    """S01: the primary is not asked again before 30 ms have passed; the spare may be asked at once."""
    fault = next(fault for fault in BENCH if fault.id == "S01")
    async with rescued(fault, "stream", tmp_path) as (primary, _, gateway):
        await on_the_wire(gateway.http, gateway.url, "stream")
        times = [visit.at for visit in primary.visits]
        assert all(later - earlier >= 0.030 for earlier, later in pairwise(times))


async def test_the_spare_is_asked_the_clients_question(tmp_path: Path) -> None:
    """S14: never with half an answer to go on from, and with its own key, not the client's."""
    fault = next(fault for fault in BENCH if fault.id == "S14")
    async with rescued(fault, "stream", tmp_path) as (primary, spare, gateway):
        await on_the_wire(gateway.http, gateway.url, "stream")
        (asked,) = spare.visits
        assert asked.json["messages"] == primary.visits[0].json["messages"]
        assert asked.json["model"] == SPARE
        assert asked.headers[b"authorization"] == b"Bearer spare-key"


async def test_only_the_answer_is_billed(tmp_path: Path) -> None:
    """S16: tokens and cost on record are the spare's."""
    fault = next(fault for fault in BENCH if fault.id == "S16")
    async with rescued(fault, "stream", tmp_path) as (_, _, gateway):
        got = await on_the_wire(gateway.http, gateway.url, "stream", stream_options={"include_usage": True})
        assert got.usage is not None
        (recorded,) = gateway.frames("outcome")
        used = (recorded["input_tokens"], recorded["output_tokens"])
        assert used == (wire.PROMPT_TOKENS, len(wire.WORDS))
        assert recorded["cost_usd"] == pytest.approx(sum(used) / 1e6)  # a dollar for a million of either
