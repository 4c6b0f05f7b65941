"""Upkeep: compression and retirement, a kill between any two steps, and what the evolver has not read."""

import asyncio
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from gateway.recording import (
    Keep,
    Position,
    SpoolError,
    SpoolWriter,
    Upkeep,
    read_consumed,
    read_frames,
    sealed,
    verify_chain,
    write_consumed,
)
from gateway.recording.pace import LOOK_S, Pace, StoppedError
from gateway.recording.retired import NAME, read_retired
from gateway.recording.segments import plain_path, sealed_path, segments
from tests.gateway.recording.samples import numbered, numbers

NOW = 1_760_000_000.0


class KilledError(BaseException):
    """Stands for the end of the process."""


def recorded(directory: Path, count: int = 30) -> None:
    writer = SpoolWriter(directory, segment_bytes=1500)
    for number in range(count):
        writer.append(numbered(number, pad=os.urandom(100).hex()))
        writer.flush()
    writer.close()


def upkeep(directory: Path, **keep: float | None) -> Upkeep:
    return Upkeep(directory, Keep(**keep), now=lambda: NOW)  # type: ignore[arg-type]


def consumed_up_to(directory: Path, segment: int) -> None:
    write_consumed(directory, Position(segment, 0))


def aged(directory: Path, seconds: float) -> None:
    for number in segments(directory):
        os.utime(plain_path(directory, number), (NOW - seconds, NOW - seconds))


def test_all_but_the_newest_are_compressed(tmp_path: Path) -> None:
    recorded(tmp_path)
    *old, last = segments(tmp_path)
    upkeep(tmp_path).tend()
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        *(sealed_path(tmp_path, number).name for number in old),
        plain_path(tmp_path, last).name,
    ]
    assert numbers(tmp_path) == list(range(30))
    before = {path: path.stat().st_ino for path in tmp_path.iterdir()}
    upkeep(tmp_path).tend()
    assert {path: path.stat().st_ino for path in tmp_path.iterdir()} == before


def test_size_retires_the_oldest_until_the_rest_fits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recorded(tmp_path)
    known = segments(tmp_path)
    size = plain_path(tmp_path, 1).stat().st_size
    consumed_up_to(tmp_path, 2)
    with caplog.at_level(logging.INFO):
        upkeep(tmp_path, compress=False, bytes=4000).tend()
    left = segments(tmp_path)
    assert left == known[-len(left) :]
    assert sum(plain_path(tmp_path, number).stat().st_size for number in left) <= 4000
    rows = read_retired(tmp_path).rows
    assert [row.segment for row in rows] == known[: -len(left)]
    assert [(row.why, row.ingested) for row in rows] == [("size", True)] + [("size", False)] * (len(rows) - 1)
    assert (rows[0].bytes, rows[0].retired_at) == (size, NOW)
    assert [record.levelno for record in caplog.records] == [logging.INFO] + [logging.WARNING] * (len(rows) - 1)
    assert re.search(rf"segment 00000001 retired by size: {size} bytes$", caplog.messages[0])
    assert caplog.messages[1].endswith(", which the evolver had not read")


def test_the_newest_is_kept_whatever_the_limits(tmp_path: Path) -> None:
    recorded(tmp_path)
    last = segments(tmp_path)[-1]
    upkeep(tmp_path, bytes=0).tend()
    assert segments(tmp_path) == [last]


def test_age_retires_what_was_consumed(tmp_path: Path) -> None:
    recorded(tmp_path)
    known = segments(tmp_path)
    aged(tmp_path, 100.0)
    for until, left in ((None, known), (1, known), (3, known[2:]), (known[-1], known[-1:])):
        if until is not None:
            consumed_up_to(tmp_path, until)
        upkeep(tmp_path, seconds=99.0).tend()
        assert segments(tmp_path) == left
    assert {(row.why, row.ingested) for row in read_retired(tmp_path).rows} == {("age", True)}


def test_what_is_young_is_kept(tmp_path: Path) -> None:
    recorded(tmp_path)
    known = segments(tmp_path)
    aged(tmp_path, 100.0)
    os.utime(plain_path(tmp_path, 3), (NOW, NOW))
    consumed_up_to(tmp_path, 99)
    upkeep(tmp_path, seconds=99.0).tend()
    assert segments(tmp_path) == known[2:]


def test_nobody_retires_a_segment_whose_successor_is_empty(tmp_path: Path) -> None:
    """The link at the beginning of the next says how it ended; without one the chain would have a gap."""
    recorded(tmp_path, 3)
    writer = SpoolWriter(tmp_path, segment_bytes=1500)
    upkeep(tmp_path, bytes=0).tend()
    assert numbers(tmp_path) == [0, 1, 2]
    writer.append(numbered(3))
    writer.flush()
    upkeep(tmp_path, bytes=0).tend()
    assert (numbers(tmp_path), verify_chain(tmp_path).ok) == ([3], True)
    writer.close()


def test_numbers_are_not_used_again(tmp_path: Path) -> None:
    recorded(tmp_path)
    upkeep(tmp_path, bytes=0).tend()
    last = segments(tmp_path)[-1]
    plain_path(tmp_path, last).unlink()
    recorded(tmp_path, 1)
    assert segments(tmp_path) == [last]
    upkeep(tmp_path).tend()
    assert numbers(tmp_path) == [0]


@pytest.mark.parametrize("retain", [None, 3000])
def test_a_kill_between_any_two_steps_loses_nothing(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, retain: int | None
) -> None:
    """Each call of the system is, in turn, the one that the process does not live to see."""
    steps, killed = 0, True
    while killed:
        directory = tmp_path_factory.mktemp("killed")
        recorded(directory)
        with monkeypatch.context() as mortal:
            _die_at(mortal, steps)
            try:
                upkeep(directory, bytes=retain).tend()
                killed = False
            except KilledError:
                steps += 1
        _holds(directory, retain)
        upkeep(directory, bytes=retain).tend()
        _holds(directory, retain)
        assert not list(directory.glob("*.tmp"))
        assert [plain_path(directory, n).exists() for n in segments(directory)[:-1]] == [False] * (
            len(segments(directory)) - 1
        )
    assert steps > 20


def _holds(directory: Path, retain: int | None) -> None:
    """All records are there, or on record as retired; and a writer can start."""
    read = numbers(directory)
    retired = read_retired(directory)
    assert read == list(range(30 - len(read), 30))
    assert len(read) == 30 or (retain is not None and retired.rows)
    assert verify_chain(directory).ok


def _die_at(mortal: pytest.MonkeyPatch, step: int) -> None:
    """Let `step` calls through; the next and all after it don't happen, as nothing does after a kill."""
    calls = [0]

    def guarded(call: Callable[..., object]) -> Callable[..., object]:
        def act(*args: object, **more: object) -> object:
            calls[0] += 1
            if calls[0] > step:
                raise KilledError
            return call(*args, **more)

        return act

    for name in ("fchmod", "utime", "fsync", "pwrite", "ftruncate"):
        mortal.setattr(os, name, guarded(getattr(os, name)))
    for name in ("unlink", "replace"):
        mortal.setattr(Path, name, guarded(getattr(Path, name)))


@pytest.mark.parametrize("name", ["fsync", "pwrite", "fchmod"])
def test_a_disk_that_fails_is_counted_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    recorded(tmp_path)
    keeper = upkeep(tmp_path, bytes=3000)
    with monkeypatch.context() as broken:
        broken.setattr(os, name, _full)
        keeper.guarded_pass()
        keeper.guarded_pass()
    assert keeper.faults == 2
    assert "upkeep failed: [Errno 28] No space left on device" in caplog.messages[-1]
    assert verify_chain(tmp_path).ok
    keeper.guarded_pass()
    assert (keeper.faults, verify_chain(tmp_path).ok) == (2, True)
    assert sum(path.stat().st_size for path in tmp_path.glob("*.spool*")) <= 3000


def test_a_torn_line_about_a_retirement_is_written_again(tmp_path: Path) -> None:
    recorded(tmp_path)
    upkeep(tmp_path, bytes=5000).tend()
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + b'{"v":1,"segm')
    count = len(read_retired(tmp_path).rows)
    upkeep(tmp_path, bytes=2000).tend()
    assert len(read_retired(tmp_path).rows) > count
    assert (read_retired(tmp_path).flaws, verify_chain(tmp_path).ok) == ([], True)
    assert (tmp_path / NAME).read_bytes().startswith(whole)


def test_lines_that_make_no_sense_are_flaws(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"[]\n{}\n?\n")
    assert read_retired(tmp_path).flaws == [0, 0, 0]
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(SpoolError, match=r"retired\.jsonl: can't be read"):
        read_retired(tmp_path)


def test_consumed_is_read_back(tmp_path: Path) -> None:
    assert read_consumed(tmp_path) is None
    write_consumed(tmp_path, Position(3, 77))
    assert read_consumed(tmp_path) == Position(3, 77)
    assert orjson.loads((tmp_path / "consumed.json").read_bytes()) == {"segment": 3, "offset": 77}
    for nonsense in (b"", b"[]", b'{"segment": 1}', b'{"segment": "x", "offset": null}'):
        (tmp_path / "consumed.json").write_bytes(nonsense)
        assert read_consumed(tmp_path) is None


async def test_it_runs_beside_a_writer_until_it_is_cancelled(tmp_path: Path) -> None:
    recorded(tmp_path, 20)
    keeper = Upkeep(tmp_path, Keep(), pace=Pace(used=lambda: 0.0))
    task = asyncio.get_running_loop().create_task(keeper.run(every_s=0.001))
    writer = SpoolWriter(tmp_path, segment_bytes=1500)
    number = 20
    while number < 60 or any(plain_path(tmp_path, old).exists() for old in segments(tmp_path)[:-1]):
        writer.append(numbered(number, pad="x" * 100))
        writer.flush()
        number += 1
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    writer.close()
    assert (numbers(tmp_path), verify_chain(tmp_path).ok) == (list(range(number)), True)


def test_work_that_is_stopped_leaves_the_plain_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BLOCK_BYTES", 256)
    recorded(tmp_path)
    pace = Pace()
    keeper = Upkeep(tmp_path, Keep(), pace=pace)
    pace.stop()
    with pytest.raises(StoppedError):
        keeper.tend()
    keeper.guarded_pass()
    assert keeper.faults == 0
    assert [payload["n"] for _, payload in read_frames(tmp_path)] == list(range(30))
    assert not list(tmp_path.glob("*.zst*"))


def test_the_pace_waits_while_the_rest_of_the_process_is_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, used, slept = [0.0], [0.0], list[float]()
    load = iter([0.0, 0.9, 0.9, 0.4])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds
        if seconds == LOOK_S:
            used[0] += seconds * next(load)

    pace = Pace(lambda: clock[0], lambda: used[0])
    monkeypatch.setattr(pace, "_sleep", sleep)
    clock[0] += 0.01
    pace()
    assert slept == [0.01]
    clock[0] += 0.2
    pace()
    assert slept[1:] == [LOOK_S]
    used[0] += 1.0
    clock[0] += 0.2
    pace()
    assert slept[2:] == [LOOK_S, LOOK_S, LOOK_S]


def _full(*_: object) -> None:
    raise OSError(28, "No space left on device")
