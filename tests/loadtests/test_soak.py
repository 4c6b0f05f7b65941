"""The soak's oracle counts what is on record once, and knows what it could not see; each fault fails the verdict."""

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from gateway.recording import SpoolWriter
from gateway.recording.segments import plain_path
from loadtests.soak.oracle import Oracle
from loadtests.soak.verdict import Sample, Verdict, after_warming

GOOD = Verdict(answered=1000, failed=0, recorded=1000, missed_segments=0, after_a_minute_mb=100.0, at_the_end_mb=104.9)


def record(writer: SpoolWriter, count: int) -> None:
    for number in range(count):
        writer.append(orjson.dumps({"t": "assignment", "id": str(number), "pad": "x" * 200}))
        writer.append(orjson.dumps({"t": "outcome", "id": str(number)}))
    writer.flush()


def test_outcomes_are_counted_once_as_they_come(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path / "w0", segment_bytes=8192)
    oracle = Oracle(tmp_path)
    for expected in (50, 100, 150):
        record(writer, 50)
        oracle.read()
        oracle.read()
        assert (oracle.assignments, oracle.outcomes, oracle.missed) == (expected, expected, 0)
    writer.close()


@pytest.mark.parametrize("gone", [0, 1])  # the one that was being read, and the one after it
def test_a_segment_that_went_unread_is_noticed(tmp_path: Path, gone: int) -> None:
    writer = SpoolWriter(tmp_path / "w0", segment_bytes=8192)
    oracle = Oracle(tmp_path)
    record(writer, 1)
    oracle.read()
    first = writer.position.segment
    for _ in range(100):
        record(writer, 1)
    writer.close()
    assert writer.position.segment >= first + 3
    plain_path(tmp_path / "w0", first + gone).unlink()
    oracle.read()
    assert oracle.missed == 1
    assert oracle.outcomes < 101


def test_a_quiet_soak_passes() -> None:
    assert GOOD.passed
    assert GOOD.growth == pytest.approx(0.049)
    assert str(GOOD).endswith("passed")


@pytest.mark.parametrize("fault", [{"failed": 1}, {"recorded": 999}, {"missed_segments": 1}, {"at_the_end_mb": 105.1}])
def test_each_fault_fails_it(fault: dict[str, int]) -> None:
    verdict = replace(GOOD, **fault)
    assert not verdict.passed
    assert str(verdict).endswith("FAILED")


def test_memory_is_compared_with_a_minute_after_the_start() -> None:
    samples = [
        Sample(at_s=at, resident_mb=at, settled=0, lost_frames=0, spool_mb=0.0) for at in (10.0, 59.9, 60.1, 70.0)
    ]
    assert after_warming(samples).at_s == 60.1
    assert after_warming(samples[:2]).at_s == 59.9
    with pytest.raises(ValueError, match="no samples"):
        after_warming([])
