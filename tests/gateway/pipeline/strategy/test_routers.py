"""What a router learns: from later words, over a restart, and from the other workers."""

from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline import routers
from gateway.pipeline.routers import Routers
from policies.registry.values import Totals
from policies.strategy.features import features
from policies.strategy.router import Choice, Weights
from tests.gateway.pipeline.strategy.conftest import Bench, bench
from tests.gateway.pipeline.strategy.genes import by_turn

AUTO = {"model_key": "auto"}
QUESTION = "How much?"


def terms(found: Bench) -> dict[str, list[float]]:
    """Of the latest request: what the router saw in each model."""
    known: dict[str, list[float]] = found.gateway.frames("assignment")[-1]["routing"]["terms"]
    return known


async def rated(found: Bench, score: float) -> None:
    said = {"request_id": found.gateway.frames("assignment")[-1]["id"], "score": score}
    async with found.gateway.http.post(f"{found.gateway.url}/v1/feedback", json=said) as answer:
        assert answer.status == 202


async def test_feedback_reaches_neighbours_and_ratings(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        found.teach([("large", 0.5, 10.0)])
        await found.ask()
        await found.ask()
        before = terms(found)
        await rated(found, 0.0)
        await found.ask()
        after = terms(found)
        assert before["small"][0] - after["small"][0] > 0.05, "the nearest one did badly after all"
        assert after["small"][2] < before["small"][2], "a match that was won is lost"
        assert after["large"][2] > before["large"][2]


async def test_what_was_learnt_survives_a_restart(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        for _ in range(3):
            await found.ask()
        await rated(found, 0.0)
        await found.ask()
        last = terms(found)
    async with bench(tmp_path, AUTO, by_turn("fine")) as again:
        await again.ask()
        first = terms(again)
        assert first["small"][0] != 0.5
        assert first["small"][0] == pytest.approx(last["small"][0], abs=0.1)
        await rated(again, 1.0)


async def test_a_word_that_comes_after_a_restart_counts(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        await found.ask()
        request_id = found.gateway.frames("assignment")[-1]["id"]
    async with bench(tmp_path, AUTO, by_turn("fine")) as again:
        async with again.gateway.http.post(
            f"{again.gateway.url}/v1/feedback", json={"request_id": request_id, "label": "down"}
        ) as answer:
            assert answer.status == 202
        await again.ask()
        assert terms(again)["small"][0] < 0.5


CHOICES = (Choice("small", 0.2, 0.1, 0.4), Choice("large", 0.9, 2.0, 8.0))


def similarity(held: Routers, key: str) -> float:
    router = held.of("p", CHOICES)
    assert router is not None
    return router.route(QUESTION, 10, (0, 1), Weights()).terms[key][0]


async def test_workers_tell_each_other(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        registry: Any = found.gateway.worker._registry
        here, there = Routers(), Routers()
        await here.begin(registry, "w8")
        await there.begin(registry, "w9")
        router = here.of("p", CHOICES)
        assert router is not None
        assert similarity(there, "small") == 0.5
        router.learn("small", features(QUESTION), 1.0, ms=9.0, tokens=5, request_id="a")
        await here.tell(registry, 100.0)
        await there.hear(registry, 100.0)
        assert similarity(there, "small") > 0.7
        router.revise("a", 0.0)
        await here.tell(registry, 101.0)
        await there.hear(registry, 101.0)
        assert similarity(there, "small") > 0.7, "not every second"
        await here.tell(registry, 100.0 + routers.EVERY_S)
        await there.hear(registry, 100.0 + routers.EVERY_S)
        assert similarity(there, "small") < 0.3
        await there.tell(registry, 100.0 + routers.EVERY_S)
        assert {row.writer for row in await registry.totals("router", "p")} == {"w8"}, "hearing is nothing to tell"


async def test_what_was_learnt_before_the_registry_was_reached_is_added(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        registry: Any = found.gateway.worker._registry
        before, after = Routers(), Routers()
        for writer, held in (("w8", before), ("w8", after)):
            router = held.of("p", CHOICES)
            assert router is not None
            await held.begin(registry, writer)
            router.learn("small", features(QUESTION), 1.0, ms=9.0, tokens=5, request_id=f"by {held is after}")
            await held.tell(registry, 100.0)
        (row,) = await registry.totals("router", "p")
        small = next(known for known in row.data["models"] if known["key"] == "small")
        assert set(small["ids"]) == {"by False", "by True"}, "what the writer had told stays its own"


async def test_a_row_that_can_not_be_read_is_left(tmp_path: Path) -> None:
    async with bench(tmp_path, AUTO, by_turn("fine")) as found:
        registry = found.gateway.worker._registry
        await registry.put_totals([Totals("router", "p", "w7", 0, {"models": [{"key": "small"}]}, 1.0, 1.0)])
        held = Routers()
        await held.begin(registry, "w8")
        assert similarity(held, "small") == 0.5
