"""One record by its position, and where to begin reading."""

import os
from pathlib import Path

import pytest

from gateway.recording import Keep, Position, SpoolWriter, Upkeep, frame_at, read_frames, since
from gateway.recording.segments import plain_path, segments
from tests.gateway.recording.samples import numbered, numbers


@pytest.fixture
def places(tmp_path: Path) -> list[Position]:
    """Of 40 records the place before each, with links in between, in some segments."""
    writer = SpoolWriter(tmp_path, segment_bytes=2000)
    for number in range(40):
        writer.append(numbered(number, pad="x" * 9000 * (number == 7)))
        writer.flush()
    writer.close()
    behind = [position for position, _ in read_frames(tmp_path)]
    return [Position(1, 0), *behind[:-1]]


def test_each_record_is_behind_its_position(tmp_path: Path, places: list[Position]) -> None:
    for _ in range(2):
        assert [(frame_at(tmp_path, place) or {}).get("n") for place in places] == list(range(40))
        Upkeep(tmp_path, Keep()).tend()


def test_a_record_of_a_retired_segment_is_none_and_never_another(tmp_path: Path, places: list[Position]) -> None:
    Upkeep(tmp_path, Keep(bytes=0)).tend()
    (left,) = segments(tmp_path)
    gone = [place for place in places if place.segment < left]
    assert gone
    assert [frame_at(tmp_path, place) for place in gone] == [None] * len(gone)
    assert frame_at(tmp_path, Position(left, 1 << 20)) is None


def test_reading_begins_with_the_first_segment_that_is_young_enough(tmp_path: Path, places: list[Position]) -> None:
    known = segments(tmp_path)
    for number in known:
        os.utime(plain_path(tmp_path, number), (1000.0 + number, 1000.0 + number))
    Upkeep(tmp_path, Keep()).tend()
    for number in known:
        assert since(tmp_path, 1000.0 + number) == Position(number, 0)
    assert since(tmp_path, 0.0) == Position(known[0], 0)
    assert numbers(tmp_path, since(tmp_path, 5000.0)) == []
    assert since(tmp_path / "absent", 0.0) == Position(0, 0)
