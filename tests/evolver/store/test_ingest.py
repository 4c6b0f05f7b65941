"""Recordings become rows exactly once, whatever the order, the repetition and the damage."""

import os
import signal as signals
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from evolver.store import Store
from evolver.store.ingest import BATCH
from evolver.store.queries import text
from gateway.recording import Keep, SpoolWriter, Upkeep, read_consumed, read_frames
from gateway.recording.frames import to_payload
from gateway.recording.segments import segments
from tests.evolver.support import POLICY, START, World, exchange, shadow, signal


async def test_a_request_is_joined_with_its_signals(world: World) -> None:
    await world.record([*exchange(1, answer="5"), signal(1, "feedback", {"score": 0.2, "correction": "4"})])
    await world.record([signal(1, "retry"), signal(1, "correction")], writer="w1")
    (example,) = await world.store.examples(POLICY)
    assert example.request_text == "What is 2 + 2?"
    assert (example.answer_text, example.score, example.correction) == ("5", 0.2, "4")
    assert example.corrected
    assert example.retried
    assert example.bad
    assert not example.failed


async def test_acceptance_is_a_next_turn_that_rejects_nothing(world: World) -> None:
    """In any order of arrival: the turns of one conversation may come from several writers."""
    await world.record(exchange(2, at=START + 60, turn=2, unit="u"), writer="w1")
    await world.record(exchange(1, at=START, turn=1, unit="u"))
    await world.record([*exchange(3, at=START + 120, turn=3, unit="u"), signal(2, "correction")])
    late = 3 * 1800.0
    await world.record(exchange(4, at=START + late, turn=4, unit="u"))
    accepted = {one.id: (one.continued, one.accepted) for one in await world.store.examples(POLICY)}
    assert accepted == {
        "r000001": (True, True),
        "r000002": (True, False),
        "r000003": (False, False),
        "r000004": (False, False),
    }


async def test_a_tool_error_is_known_and_makes_no_learning(world: World) -> None:
    await world.record([*exchange(1), *exchange(2), signal(1, "tool_error"), signal(2, "tool_ok")])
    found = {one.id: (one.tool_failed, one.bad, one.rejected) for one in await world.store.examples(POLICY)}
    assert found == {"r000001": (True, True, False), "r000002": (False, False, False)}
    assert await world.store.learnings(POLICY, since=0.0) == 0


async def test_pairs_of_the_shadow_know_both_models(world: World) -> None:
    frames = [*exchange(1), *exchange(2), *exchange(3, arm="b")]
    await world.record([*frames, shadow(1, "c", model="small"), shadow(2, "d"), shadow(3, "c", model="small")])
    (pair,) = await world.store.shadowed(POLICY, "a", ["c"])
    assert (pair.id, pair.candidate, pair.models) == ("r000001", "c", ("sandbox-medium", "small"))
    assert len(await world.store.shadowed(POLICY, "a", ["c", "d"])) == 2
    assert await world.store.shadowed(POLICY, "a", []) == []


async def test_the_latest_feedback_counts_and_the_same_one_only_once(world: World) -> None:
    first = signal(1, "feedback", {"score": 0.0, "key": "a"}, at=START + 1)
    second = signal(1, "feedback", {"score": 1.0, "key": "b"}, at=START + 2)
    repeated = signal(1, "feedback", {"score": 0.0, "key": "a"}, at=START + 3)
    await world.record([*exchange(1), first, second, repeated])
    (example,) = await world.store.examples(POLICY)
    assert example.score == 1.0
    assert example.good


async def test_a_signal_may_come_before_its_request(world: World) -> None:
    await world.record([signal(1, "feedback", {"score": 0.0})], writer="a")
    await world.record(exchange(1), writer="b")
    (example,) = await world.store.examples(POLICY)
    assert example.score == 0.0


async def test_reading_again_reads_only_what_is_new(world: World) -> None:
    world.spool([frame for n in range(5) for frame in exchange(n)])
    assert await world.store.ingest() == 10
    assert await world.store.ingest() == 0
    world.spool(exchange(5))
    assert await world.store.ingest() == 2
    assert len(await world.store.examples(POLICY)) == 6


async def test_learnings_are_distinct_units_since_a_time(world: World) -> None:
    await world.record([*exchange(1, failure="refusal"), *exchange(2), *exchange(3, failure="rate_limited")])
    await world.record([signal(2, "feedback", {"score": 0.5}, at=START + 10), signal(2, "retry", at=START + 11)])
    assert await world.store.learnings(POLICY, since=0.0) == 2
    assert await world.store.learnings(POLICY, since=START + 5) == 1
    assert await world.store.learnings("other", since=0.0) == 0


async def test_frames_that_are_not_understood_are_counted_and_passed_over(world: World) -> None:
    world.spool(exchange(1))
    writer = world.writers["w0"]
    writer.append(orjson.dumps({"t": "assignment", "v": 99, "id": "x"}))
    writer.append(orjson.dumps({"t": "outcome", "v": 1, "id": "no status"}))
    writer.append(orjson.dumps({"t": "weather"}))
    writer.flush()
    world.spool(exchange(2))
    await world.store.ingest()
    assert len(await world.store.examples(POLICY)) == 2
    (progress,) = await world.store.progress()
    assert (progress.records, progress.unknown) == (7, 3)


async def test_bodies_are_found_across_segments(world: World) -> None:
    writer = SpoolWriter(world.home / "spool" / "small", segment_bytes=4_096)
    for number in range(40):
        for frame in exchange(number, text=f"question {number}"):
            writer.append(orjson.dumps(to_payload(frame)))
            writer.flush()
    writer.close()
    await world.store.ingest()
    found = {example.id: example.request_text for example in await world.store.examples(POLICY)}
    assert found == {f"r{n:06d}": f"question {n}" for n in range(40)}


async def test_a_retired_segment_takes_its_examples_along_but_not_the_rows(world: World) -> None:
    await world.record([*exchange(1, failure="refusal"), shadow(1, "c")])
    for path in (world.home / "spool" / "w0").glob("*.spool"):
        path.unlink()
    assert await world.store.examples(POLICY) == []
    assert await world.store.learnings(POLICY, since=0.0) == 1
    assert len(await world.store.pairs("c", after=0)) == 1


async def test_a_retired_segment_leaves_the_other_examples_as_they_are(world: World) -> None:
    folder = world.home / "spool" / "small"
    writer = SpoolWriter(folder, segment_bytes=4_096)
    for number in range(40):
        for frame in exchange(number, text=f"question {number}"):
            writer.append(orjson.dumps(to_payload(frame)))
        writer.flush()  # both at once: each segment begins with a request
    writer.close()
    await world.store.ingest()
    before = {example.id: example for example in await world.store.examples(POLICY)}
    assert len(before) == 40
    Upkeep(folder, Keep(bytes=8_192, compress=False)).tend()
    retired = segments(folder)[0]
    assert retired > 2
    left = {example.id: example for example in await world.store.examples(POLICY)}
    recorded = [payload for _, payload in read_frames(folder)]
    whole = {p["id"] for p in recorded if p["t"] == "assignment"} & {p["id"] for p in recorded if p["t"] == "outcome"}
    assert left == {name: before[name] for name in whole}, "none is lost, and none has the record of another"


async def test_what_is_read_and_stored_may_expire(world: World) -> None:
    folder = world.home / "spool" / "w0"
    world.spool(exchange(1))
    assert read_consumed(folder) is None
    await world.store.ingest()
    assert read_consumed(folder) == world.writers["w0"].position
    (folder / "consumed.json").unlink()
    await world.store.ingest()
    assert read_consumed(folder) == world.writers["w0"].position, "told again, though nothing is new"


async def test_a_folder_that_can_not_be_told_is_read_all_the_same(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    (world.home / "spool" / "w0" / "consumed.json").mkdir(parents=True)
    await world.record(exchange(1))
    assert len(await world.store.examples(POLICY)) == 1
    assert "nothing in it expires by age" in caplog.text


_INGEST = """
import sqlite3, sys
from pathlib import Path
from typing import Any
import evolver.store.ingest as module
home, name = Path(sys.argv[1]), sys.argv[2]
module.BATCH = 50
store = module._store
def slowly(*arguments):
    print("batch", flush=True)
    return store(*arguments)
module._store = slowly
connection = sqlite3.connect(name, isolation_level=None)
connection.row_factory = sqlite3.Row
module.ingest(connection, home / "spool", batches=10_000)
"""


def test_a_kill_in_the_middle_loses_and_repeats_nothing(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool" / "w0", segment_bytes=100_000)
    for number in range(2_000):
        for frame in exchange(number, failure="refusal" if number % 3 == 0 else None):
            writer.append(orjson.dumps(to_payload(frame)))
    writer.flush()
    writer.close()
    database = tmp_path / "analysis.db"
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(text("schema"))
    for kills_after in (3, 7, 15):
        _killed_ingest(tmp_path, database, kills_after)
        rows = connection.execute("SELECT count(*) FROM assignments").fetchone()[0]
        records = connection.execute("SELECT records FROM offsets").fetchone()
        outcomes = connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]
        assert (records[0] if records else 0) == rows + outcomes
    subprocess.run([sys.executable, "-c", _INGEST, str(tmp_path), str(database)], check=True, capture_output=True)
    counts = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("assignments", "outcomes")]
    learnt = connection.execute("SELECT count(*) FROM learnings").fetchone()[0]
    assert (*counts, learnt) == (2_000, 2_000, 667)
    assert connection.execute("SELECT records FROM offsets").fetchone()[0] == 4_000
    connection.close()


def _killed_ingest(home: Path, database: Path, batches: int) -> None:
    command = [sys.executable, "-c", _INGEST, str(home), str(database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(batches):
            process.stdout.readline()
        os.kill(process.pid, signals.SIGKILL)


async def test_a_database_from_before_the_reasons_keeps_what_it_has(tmp_path: Path) -> None:
    """Its spool is retired: nothing could be read again. What entered an experiment had been drawn."""
    connection = sqlite3.connect(tmp_path / "analysis.db", isolation_level=None)
    later = ("why", "routing")
    older = "\n".join(line for line in text("schema").splitlines() if not any(name in line for name in later))
    connection.executescript(older.replace("has_body INTEGER NOT NULL,", "has_body INTEGER NOT NULL"))
    row = (1.0, "w", 0, 0, POLICY, "u", 1, "a", '[["a",0.5],["b",0.5]]', "production", "v1.0", None, "e")
    for name, first, arms in (("r1", True, row[8]), ("r2", False, None)):
        values = (name, *row[:8], arms, *row[9:], first, "", "m", False, False)
        connection.execute(f"INSERT INTO assignments VALUES ({', '.join('?' * len(values))})", values)
    connection.close()
    for _ in range(2):
        async with Store(tmp_path / "analysis.db", tmp_path / "spool") as store:
            (draw,) = await store.draws(POLICY, until=2.0, after=(0.0, ""))
            assert (draw.place, draw.arm, draw.odds) == ((1.0, "r1"), "a", {"a": 0.5, "b": 0.5})


async def test_what_a_router_weighed_stands_with_the_units_that_were_drawn(world: World) -> None:
    terms = {"large": [0.5, 1.0, 0.5, 1.0, 0.2, 0.9], "small": [0.5, 0.2, 0.5, 0.1, 0.1, 0.4]}
    routings = ({"key": "large", "terms": terms}, {"key": "large", "intent": "x"}, None)
    frames: list[Any] = []
    for number, routing in enumerate(routings):
        frames += exchange(number, arms=[("a", 0.5), ("b", 0.5)], first=True, why="draw", routing=routing)
    frames += exchange(3, routing=routings[0])  # nothing was drawn
    await world.record(frames)
    units = await world.store.units(POLICY, deadline_s=5.0, until=START + 9, after=(0.0, ""))
    assert [unit.terms for unit in units] == [{key: row[:5] for key, row in terms.items()}, None, None]


async def test_more_than_one_batch(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "spool" / "w0", segment_bytes=1 << 26)
    count = BATCH + 10
    for number in range(count):
        writer.append(orjson.dumps(to_payload(exchange(number)[0])))
    writer.flush()
    writer.close()
    async with Store(tmp_path / "analysis.db", tmp_path / "spool") as store:
        assert await store.ingest() == count
        assert [p.records for p in await store.progress()] == [count]
