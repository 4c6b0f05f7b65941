"""Shadow candidates: mirrored within bounds, recorded as signals, never in the client's way."""

from pathlib import Path
from typing import Never

import pytest

from gateway.pipeline import shot as shot_module
from gateway.pipeline.mirror import Budget
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.experiments import genome, shadow
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole


async def test_a_mirrored_request_becomes_a_signal(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox, {"shadow": {"sample": 1.0}}), tmp_path) as gateway:
        candidate = await shadow(gateway, "c1", genome("Answer briefly."))
        _, headers, _ = await gateway.ask(stream=False)
        await gateway.until(lambda: bool(gateway.frames("signal")))
        (signal,) = gateway.frames("signal")
        assert (signal["kind"], signal["id"]) == ("shadow", headers["x-evogate-request-id"])
        data = signal["data"]
        assert (data["candidate"], data["arm"]) == (candidate.id, candidate.genome.content_hash)
        assert data["status"] == 200
        assert data["answer"]["text"]
        assert data["cost_usd"] > 0.0
        assert gateway.core.mirror.budget("assistant").spent == data["cost_usd"]


async def test_nothing_is_mirrored_without_money(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox, {"shadow": {"sample": 1.0, "usd_per_day": 0.0}}), tmp_path) as gateway:
        await shadow(gateway, "c1", genome("Answer briefly."))
        await gateway.ask()
        await gateway.until(lambda: gateway.core.metrics.mirror_dropped == 1)
        assert gateway.frames("signal") == []


async def test_a_mirror_that_fails_is_the_candidates_failure(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        if b"Answer briefly." in visit.body:
            await visit.send(whole(b"{}", b"500 Internal Server Error"))
        else:
            await visit.send(whole(completion()))

    async with provider(script) as base, running(settings(base, {"shadow": {"sample": 1.0}}), tmp_path) as gateway:
        await shadow(gateway, "c1", genome("Answer briefly."))
        status, _, _ = await gateway.ask()
        assert status == 200
        await gateway.until(lambda: bool(gateway.frames("signal")))
        assert gateway.frames("signal")[0]["data"]["failure"] == "server_error"


async def test_a_fault_while_mirroring_is_the_candidates_and_costs_no_answer(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> Never:
        raise RuntimeError("injected")

    async with running(settings(sandbox, {"shadow": {"sample": 1.0}}), tmp_path) as gateway:
        await shadow(gateway, "c1", genome("Answer briefly."))
        monkeypatch.setattr(shot_module, "upward", broken)
        assert (await gateway.ask())[0] == 200
        await gateway.until(lambda: bool(gateway.frames("signal")))
        assert gateway.core.fall_open.counts["mirror"] == 1
        assert gateway.frames("outcome")[0]["failure"] is None
        assert gateway.frames("signal")[0]["data"]["failure"] == "fell_open"
        assert gateway.core.mirror.budget("assistant").in_flight == 0


def test_the_budget_reserves_the_worst_case() -> None:
    budget = Budget()
    assert budget.reserve(0.4, limit=1.0, concurrency=9, now=0.0)
    assert budget.reserve(0.4, limit=1.0, concurrency=9, now=0.0)
    assert not budget.reserve(0.4, limit=1.0, concurrency=9, now=0.0), "what is in flight may cost its worst"
    budget.settle(0.4, 0.1)
    assert budget.reserve(0.4, limit=1.0, concurrency=9, now=0.0)
    assert not budget.reserve(0.01, limit=1.0, concurrency=2, now=0.0)
    budget.settle(0.4, 0.4)
    budget.settle(0.4, 0.4)
    assert not budget.reserve(0.4, limit=1.0, concurrency=9, now=86_399.0)
    assert budget.reserve(0.4, limit=1.0, concurrency=9, now=86_400.0), "a new day"
