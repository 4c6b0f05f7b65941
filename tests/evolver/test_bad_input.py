"""What must not lead to a wrong decision: frames twice and out of order, foreign feedback, a registry that is gone."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from evolver.api import create_app
from evolver.daemon import Daemon
from evolver.stations.promotion import Promotion
from gateway.recording.frames import Frame
from policies.registry.operations import start_canary
from tests.evolver.support import START as BEGAN
from tests.evolver.support import World, exchange, make_settings, make_world, signal, with_rule

N = 200


def comparison(control: str, challenger: str) -> list[Frame]:
    """Units in turn on production and candidate, each failing now and then."""
    frames: list[Frame] = []
    for n in range(N):
        drawn: dict[str, Any] = {"arms": [(control, 0.5), (challenger, 0.5)], "first": True, "why": "draw"}
        failure = "refusal" if n % 7 == 0 else None
        arm = (control, challenger)[n % 2]
        frames += exchange(n, at=BEGAN + 1.0 + n / 10, failure=failure, arm=arm, experiment="x", **drawn)
    return frames


async def measured(home: Path, change: Callable[[list[Frame]], list[Frame]]) -> dict[str, Any]:
    """What the promotion test comes to on these frames, changed."""
    async with make_world(home, make_settings(poll_s=0.01)) as world:
        candidate = await world.candidate("judged")
        control = world.production.genome.content_hash
        candidate, experiment = await start_canary(
            world.registry, candidate, who="t", reason="t", counted=True, now=BEGAN
        )
        await world.record(change(comparison(control, candidate.genome.content_hash)))
        station = Promotion()
        world.now = BEGAN + 10_000.0
        await station.step(candidate, world.context())
        (closed,) = await world.registry.experiments()
        found = station.progress(experiment.id) or closed.evidence
        return {name: found[name] for name in ("units", "excluded", "e_values", "estimates")}


def twice_and_shuffled(frames: list[Frame]) -> list[Frame]:
    mixed = [*frames, *frames]
    Random(1).shuffle(mixed)
    return mixed


def with_late_words(frames: list[Frame]) -> list[Frame]:
    """Feedback on every answer, after its deadline."""
    return [*frames, *(signal(n, "feedback", {"score": 0.0, "key": "k"}, at=BEGAN + 5_000.0) for n in range(N))]


def with_foreign_words(frames: list[Frame]) -> list[Frame]:
    """A flood of feedback on answers that nobody gave."""
    return [*frames, *(signal(n, "feedback", {"score": 0.0, "key": f"{n}"}) for n in range(10_000, 10_500))]


@pytest.mark.parametrize("change", [twice_and_shuffled, with_late_words, with_foreign_words])
async def test_the_evidence_is_the_same(tmp_path: Path, change: Callable[[list[Frame]], list[Frame]]) -> None:
    plain = await measured(tmp_path / "plain", list)
    assert await measured(tmp_path / "changed", change) == plain
    assert sum(plain["units"]) == N


async def test_words_in_time_do_move_it(tmp_path: Path) -> None:
    """So that the ones above can fail."""

    def in_time(frames: list[Frame]) -> list[Frame]:
        words = [signal(n, "feedback", {"score": 0.0, "key": "k"}, at=BEGAN + 30.0) for n in range(1, N, 2)]
        return [*frames, *words]

    plain, moved = await measured(tmp_path / "plain", list), await measured(tmp_path / "moved", in_time)
    assert moved["estimates"]["reward"] < plain["estimates"]["reward"] - 0.2


async def test_a_registry_that_goes_away_and_returns(world: World) -> None:
    world.configure(make_settings(poll_s=0.01))
    async with Daemon(world.settings, world.home) as daemon, TestClient(TestServer(create_app(daemon))) as api:
        await daemon.registry.fetch("PRAGMA busy_timeout = 10")  # type: ignore[attr-defined]
        other = sqlite3.connect(world.home / "registry.db", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        running = asyncio.create_task(daemon.run())
        try:
            await _until(lambda: daemon.metrics.failed_rounds._value.get() >= 3)
            async with api.get("/api/v1/versions") as answer:
                assert answer.status == 503
                assert "another process keeps it locked" in (await answer.json())["error"]["message"]
            other.execute("ROLLBACK")
            world.spool(exchange(1, at=time.time()))
            await _until(lambda: daemon.metrics.frames._value.get() == 2)
            async with api.get("/api/v1/versions") as answer:
                assert answer.status == 200
            assert not running.done()
        finally:
            other.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110  (the daemon's own rounds decide)
            await asyncio.sleep(0.005)


async def test_content_that_failed_is_not_tried_again(world: World) -> None:
    """Neither while it is on its way nor after its tombstone, under whatever id and lineage."""
    genome = with_rule(world.production.genome, "Once.")
    first = await world.candidate("canary", id="one", genome=genome)
    await world.registry.advance(first, "trip", who="w0", reason="harm", now=BEGAN)
    with pytest.raises(AssertionError):
        await world.candidate("proposed", id="two", genome=genome)
