"""Old requests become totals: whole, once, and never those that a running comparison needs."""

import sqlite3
from dataclasses import replace

import pytest

from evolver.retirement import EVERY_S, Retirement
from evolver.store.retention import retire
from policies.registry.operations import start_canary
from tests.evolver.support import POLICY, START, World, exchange, shadow, signal

DAY = 86_400.0
TABLES = ("assignments", "outcomes", "feedback", "marks", "shadows", "learnings")


async def fill(world: World) -> None:
    """Ten days, one request a day; each has a signal of every kind, the odd ones failed."""
    for number in range(10):
        at = START + number * DAY
        await world.record(exchange(number, at=at, failure="refusal" if number % 2 else None))
        told = [signal(number, "feedback", {"score": 0.0}, at=at + 1), signal(number, "retry", at=at + 1)]
        await world.record([*told, shadow(number, "c", at=at + 1)])


def counts(world: World) -> dict[str, int]:
    with sqlite3.connect(world.home / "analysis.db") as db:
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


async def test_what_goes_goes_whole_and_stays_in_the_totals(world: World) -> None:
    await fill(world)
    before = await world.store.exposure(POLICY, "a")
    before["usd"] = pytest.approx(before["usd"])
    assert await world.store.retire(before=START + 6 * DAY) == 6
    assert await world.store.retire(before=START + 6 * DAY) == 0
    assert counts(world) == dict.fromkeys(TABLES, 4)
    assert await world.store.exposure(POLICY, "a") == before
    assert await world.store.retire(before=START + 99 * DAY) == 4
    assert await world.store.exposure(POLICY, "a") == before
    assert before["requests"] == 10
    assert before["failures"] == 5


async def test_what_was_read_once_is_not_read_again(world: World) -> None:
    await fill(world)
    await world.store.retire(before=START + 99 * DAY)
    assert await world.store.ingest() == 0
    assert await world.store.examples(POLICY) == []


async def test_a_batch_is_one_transaction_and_the_oldest_go_first(world: World) -> None:
    await fill(world)
    with sqlite3.connect(world.home / "analysis.db", isolation_level=None) as db:
        assert retire(db, before=START + 99 * DAY, batch=3) == 3
        assert db.execute("SELECT min(at) FROM assignments").fetchone()[0] == START + 3 * DAY


async def test_freed_pages_go_back_to_the_file_system(world: World) -> None:
    for number in range(0, 4_000, 500):
        await world.record(frame for n in range(number, number + 500) for frame in exchange(n))
    with sqlite3.connect(world.home / "analysis.db", isolation_level=None) as db:
        pages = db.execute("PRAGMA page_count").fetchone()[0]
        await world.store.retire(before=START + DAY)
        assert db.execute("PRAGMA page_count").fetchone()[0] < pages / 4


async def test_it_is_done_by_the_hour_and_spares_running_comparisons(world: World) -> None:
    await fill(world)
    evolver = world.settings.evolver.model_copy(update={"retain_s": 2 * DAY})
    settings = world.settings.model_copy(update={"evolver": evolver})
    context = world.context(settings=settings, now=START + 10 * DAY)
    candidate = await world.candidate("judged")
    await start_canary(world.registry, candidate, who="evolver", reason="", counted=True, now=START + 4 * DAY)
    retirement = Retirement()
    assert await retirement.look(context) == 4, "those from before the canary"
    assert await retirement.look(replace(context, now=context.now + EVERY_S / 2)) == 0
    (experiment,) = await world.registry.experiments(POLICY)
    await world.registry.close_experiment(experiment.id, "INCONCLUSIVE", {}, now=context.now)
    assert await retirement.look(replace(context, now=context.now + EVERY_S)) == 5
    forever = settings.model_copy(update={"evolver": evolver.model_copy(update={"retain_s": None})})
    assert await Retirement().look(replace(context, settings=forever)) == 0
