"""The reader: resumes anywhere, waits for what is not whole yet, and steps over damage."""

import itertools
import json
import os
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recording import Damage, Position, SpoolError, SpoolWriter, read_frames, tail, writers
from gateway.recording.segments import SegmentReader
from tests.gateway.recording.samples import SEGMENT, frame, lay, numbered, numbers, segment, write

SIZE = len(frame(numbered(0)))


def test_a_position_is_json_and_ordered() -> None:
    place = Position(3, 1024)
    assert Position(*orjson.loads(orjson.dumps(list(place)))) == Position(*json.loads(json.dumps(place))) == place
    assert Position(1, 999) < Position(2, 0) < Position(2, 1)


def test_reading_resumes_behind_every_frame(tmp_path: Path) -> None:
    write(tmp_path, *range(10), segment_bytes=SIZE * 4)
    positions = [position for position, _ in read_frames(tmp_path)]
    assert positions == sorted(set(positions))
    for done, position in enumerate(positions, 1):
        assert numbers(tmp_path, position) == list(range(done, 10))


@given(st.lists(st.lists(st.integers(0, 300), max_size=4), max_size=8), st.integers(64, 400), st.integers(0, 5))
@settings(max_examples=60)
def test_a_reader_that_resumes_meets_every_frame_once(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[int]], segment_bytes: int, at_most: int
) -> None:
    directory = tmp_path_factory.mktemp("resume")
    writer = SpoolWriter(directory, segment_bytes=segment_bytes)
    counter, seen, position = itertools.count(), [], None
    for batch in batches:
        for size in batch:
            writer.append(numbered(next(counter), pad="x" * size))
        writer.flush()
        for reached, payload in itertools.islice(read_frames(directory, position), at_most):
            seen.append(payload["n"])
            position = reached
    writer.close()
    seen += numbers(directory, position)
    assert seen == list(range(next(counter)))


@given(st.integers(1, 3 * SIZE - 1))
@settings(max_examples=40)
def test_half_a_frame_is_not_yet(tmp_path_factory: pytest.TempPathFactory, visible: int) -> None:
    directory = tmp_path_factory.mktemp("partial")
    data = b"".join(frame(numbered(number)) for number in range(3))
    segment(directory).write_bytes(data[:visible])
    damages: list[Damage] = []
    read = list(read_frames(directory, on_damage=damages.append))
    assert [payload["n"] for _, payload in read] == list(range(visible // SIZE))
    assert damages == []
    segment(directory).write_bytes(data)
    assert numbers(directory, read[-1][0] if read else None) == list(range(visible // SIZE, 3))


def test_nothing_behind_a_broken_frame_of_the_last_segment(tmp_path: Path) -> None:
    _flip(lay(tmp_path, 0, 1, 2), SIZE + 9)
    assert numbers(tmp_path) == [0]


def test_damage_in_an_earlier_segment_is_reported_and_stepped_over(tmp_path: Path) -> None:
    _flip(lay(tmp_path, 0, 1, 2), SIZE + 9)
    lay(tmp_path, 3, number=2)
    damages: list[Damage] = []
    read = [payload["n"] for _, payload in read_frames(tmp_path, on_damage=damages.append)]
    assert read == [0, 3]
    assert damages == [Damage(segment(tmp_path), SIZE, 2 * SIZE)]
    assert str(damages[0]) == f"{segment(tmp_path)}: {2 * SIZE} damaged bytes at offset {SIZE} were skipped"


def test_a_tail_completed_just_before_the_rotation_is_read(tmp_path: Path) -> None:
    """The reader meets half a frame; before it looks for the next segment, the writer completes it and opens that."""
    data = b"".join(frame(numbered(number)) for number in range(2))
    segment(tmp_path).write_bytes(data[:-3])
    damages: list[Damage] = []
    stream = read_frames(tmp_path, on_damage=damages.append)
    assert next(stream)[1] == {"n": 0}
    segment(tmp_path).write_bytes(data)
    segment(tmp_path, 2).write_bytes(frame(numbered(2)))
    assert [payload["n"] for _, payload in stream] == [1, 2]
    assert damages == []


def test_a_retired_segment_is_not_missed(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        lay(tmp_path, 2 * number - 2, 2 * number - 1, number=number)
    position = next(read_frames(tmp_path))[0]
    segment(tmp_path, 1).unlink()
    assert numbers(tmp_path, position) == [2, 3, 4, 5]


def test_a_position_behind_a_cut_tail_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    lay(tmp_path, 0, 1)
    behind = list(read_frames(tmp_path))[-1][0]
    os.truncate(segment(tmp_path), SIZE)
    write(tmp_path, 2)
    assert numbers(tmp_path, behind) == [2]


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"\xff"])
def test_a_payload_that_is_no_object_is_damage(tmp_path: Path, payload: bytes) -> None:
    segment(tmp_path).write_bytes(frame(numbered(0)) + frame(payload) + frame(numbered(1)))
    damages: list[Damage] = []
    assert [value["n"] for _, value in read_frames(tmp_path, on_damage=damages.append)] == [0, 1]
    assert damages == [Damage(segment(tmp_path), SIZE + 8, len(payload))]


@pytest.mark.parametrize("chunk_bytes", [1, 7, 8, 9, 64, 1000])
def test_frames_larger_than_a_chunk(tmp_path: Path, chunk_bytes: int) -> None:
    payloads = [b"a" * size for size in (1, 500, 3, 2000, 1)]
    segment(tmp_path).write_bytes(b"".join(map(frame, payloads)))
    reader = SegmentReader(tmp_path, 1, chunk_bytes=chunk_bytes)
    assert [payload for _, payload in reader] == payloads
    assert reader.left() == 0


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, 0)
    for name in ("notes.txt", "x.spool", "00000002.spool.zst.tmp", "retired.jsonl", "consumed.json"):
        (tmp_path / name).write_bytes(b"?")
    assert numbers(tmp_path) == [0]


def test_a_spool_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert numbers(tmp_path / "absent") == []
    assert writers(tmp_path / "absent") == []
    assert list(tail(tmp_path / "absent")) == []


def test_what_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "00000001.spool").mkdir()
    with pytest.raises(SpoolError, match=r"00000001.spool: can't be read"):
        numbers(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="file: can't be read"):
        numbers(tmp_path / "file")


def test_tail_merges_writers_in_time(tmp_path: Path) -> None:
    for name, times in (("w0", [1.0, 4.0, 5.0]), ("w1", [2.0, 3.0, 6.0])):
        writer = SpoolWriter(tmp_path / name, segment_bytes=SEGMENT)
        for at in times:
            writer.append(orjson.dumps({"at": at}))
        writer.close()
    read = list(tail(tmp_path))
    assert [payload["at"] for *_, payload in read] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    rest = tail(tmp_path, {"w0": read[0][1], "w1": read[2][1]})
    assert [(writer, payload["at"]) for writer, _, payload in rest] == [("w0", 4.0), ("w0", 5.0), ("w1", 6.0)]


def test_tail_follows_old_and_new_writers(tmp_path: Path) -> None:
    write(tmp_path / "w0", 0)
    happenings = iter([("w0", 1), ("w1", 2), None, ("w1", 3), ("w0", 4)])

    def wait() -> bool:
        happening = next(happenings, "end")
        if isinstance(happening, tuple):
            write(tmp_path / happening[0], happening[1])
        return happening != "end"

    read = [(writer, payload["n"]) for writer, _, payload in tail(tmp_path, wait=wait)]
    assert read == [("w0", 0), ("w0", 1), ("w1", 2), ("w1", 3), ("w0", 4)]


def _flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
