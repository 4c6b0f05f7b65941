"""The hash chain: whatever is done to a spool behind its writer's back is named, and nothing else is."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recording import Head, Keep, Position, SpoolError, SpoolWriter, Upkeep, read_frames, verify_chain
from gateway.recording.chain import LINK_BYTES, first_link
from gateway.recording.segments import SegmentReader, plain_path, segments
from gateway.recording.wire import header
from tests.gateway.recording.samples import SEGMENT, frame, lay, numbered, numbers, segment, write


def recorded(directory: Path, count: int = 30, *, segment_bytes: int = 1500, boots: int = 2) -> list[Head]:
    """Some boots of a writer, a flush for each record; the heads of the chain on the way."""
    heads = []
    for boot in range(boots):
        writer = SpoolWriter(directory, segment_bytes=segment_bytes)
        heads.append(writer.head)
        for number in range(count * boot // boots, count * (boot + 1) // boots):
            writer.append(numbered(number, pad="x" * 200))
            writer.flush()
            heads.append(writer.head)
        writer.close()
    return heads


def flaws(directory: Path, anchors: list[Head] | None = None) -> list[tuple[str, int]]:
    return [(flaw.kind, flaw.segment) for flaw in verify_chain(directory, anchors or []).flaws]


def rewrite(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    """Change the payloads of a segment as somebody would who knows the format, checksums included."""
    payloads = [payload for _, payload in SegmentReader(path.parent, int(path.name[:8]), links=True)]
    path.write_bytes(b"".join(map(frame, change(payloads))))


def changed(at: int, **more: int) -> Callable[[list[bytes]], list[bytes]]:
    def change(payloads: list[bytes]) -> list[bytes]:
        payloads[at] = orjson.dumps({**orjson.loads(payloads[at]), **more})
        return payloads

    return change


def test_what_was_written_is_right_through_boots_and_segments(tmp_path: Path) -> None:
    heads = recorded(tmp_path)
    assert [Head(*orjson.loads(orjson.dumps(list(head)))) for head in heads] == heads
    report = verify_chain(tmp_path, heads)
    assert (report.ok, report.records, report.segments, report.unlinked) == (True, 30, len(segments(tmp_path)), 0)
    assert report.anchors == len({(head.segment, head.offset) for head in heads if head.segment})
    assert len({head.boot for head in heads}) == 2
    assert len({head.link for head in heads}) >= 30


def test_nothing_is_right(tmp_path: Path) -> None:
    assert verify_chain(tmp_path / "absent").ok
    SpoolWriter(tmp_path, segment_bytes=SEGMENT).close()
    assert verify_chain(tmp_path).ok


def test_a_writer_at_work_is_right(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=1000)
    for number in range(20):
        writer.append(numbered(number, pad="x" * 200))
        writer.flush()
        report = verify_chain(tmp_path, [writer.head])
        assert (report.ok, report.anchors, report.records) == (True, 1, number + 1)
    writer.close()


def test_links_come_often_enough_to_say_where(tmp_path: Path) -> None:
    recorded(tmp_path, 1000, segment_bytes=SEGMENT, boots=1)
    assert len(segments(tmp_path)) == 1
    size = segment(tmp_path).stat().st_size
    rewrite(segment(tmp_path), changed(500, n=-1))
    (flaw,) = verify_chain(tmp_path).flaws
    assert (flaw.kind, flaw.segment) == ("tampered", 1)
    places = [position.offset for position, _ in read_frames(tmp_path)]
    assert flaw.offset < places[499] < flaw.offset + 1.1 * LINK_BYTES < size
    assert str(flaw).startswith(f"tampered: segment 00000001, offset {flaw.offset}: ")


@pytest.mark.parametrize("place", [1, 2, -2])
def test_a_changed_record_with_a_right_checksum_is_named(tmp_path: Path, place: int) -> None:
    recorded(tmp_path)
    rewrite(segment(tmp_path, 3), changed(place, n=-1))
    assert flaws(tmp_path)[0] in {("tampered", 3), ("damaged", 3), ("unvouched", 3)}
    assert {number for _, number in flaws(tmp_path)} <= {3, 4}


def test_records_in_another_order_are_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    rewrite(segment(tmp_path, 2), lambda payloads: [payloads[0], *payloads[:0:-1]])
    assert flaws(tmp_path) == [("tampered", 2)]


def test_a_record_taken_out_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    rewrite(segment(tmp_path, 2), lambda payloads: payloads[:2] + payloads[3:])
    assert flaws(tmp_path) == [("damaged", 2)]


def test_a_record_added_at_the_end_of_a_segment_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    with segment(tmp_path, 2).open("ab") as file:
        file.write(frame(numbered(99)))
    assert flaws(tmp_path) == [("unvouched", 2)]


def test_a_segment_taken_out_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    segment(tmp_path, 3).unlink()
    assert flaws(tmp_path) == [("missing", 3)]


def test_the_first_segment_taken_out_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    segment(tmp_path, 1).unlink()
    assert flaws(tmp_path) == [("missing", 1)]


def test_segments_that_changed_places_are_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    segment(tmp_path, 2).rename(tmp_path / "other")
    segment(tmp_path, 3).rename(segment(tmp_path, 2))
    (tmp_path / "other").rename(segment(tmp_path, 3))
    assert flaws(tmp_path) == [("order", 2), ("order", 3)]


def test_a_segment_robbed_of_its_links_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    rewrite(segment(tmp_path, 2), lambda payloads: payloads[1:])
    assert flaws(tmp_path)[0] == ("tampered", 2)


def test_the_tail_is_vouched_for_by_an_anchor_only(tmp_path: Path) -> None:
    heads = recorded(tmp_path)
    last = segments(tmp_path)[-1]
    rewrite(segment(tmp_path, last), lambda payloads: payloads[:-2])
    assert flaws(tmp_path) == []
    assert flaws(tmp_path, heads) == [("missing", last)]
    segment(tmp_path, last).unlink()
    assert set(flaws(tmp_path, heads)) == {("missing", last)}


def test_a_chain_computed_anew_differs_from_its_anchor(tmp_path: Path) -> None:
    head = recorded(tmp_path / "true", 5, boots=1)[-1]
    recorded(tmp_path / "forged", 5, boots=1)
    assert flaws(tmp_path / "forged") == []
    assert flaws(tmp_path / "forged", [head]) == [("tampered", head.segment)]


def test_a_spool_from_before_there_was_a_chain_is_taken_into_it(tmp_path: Path) -> None:
    lay(tmp_path, 0, 1)
    lay(tmp_path, 2, 3, number=2)
    write(tmp_path, 4)
    assert (flaws(tmp_path), numbers(tmp_path)) == ([], [0, 1, 2, 3, 4])
    rewrite(segment(tmp_path, 2), changed(0, n=7))
    assert flaws(tmp_path) == [("tampered", 2)]


@given(st.integers(0, 10_000), st.integers(0, 7))
@settings(max_examples=150, deadline=None)
def test_every_bit_flip_is_named_or_in_the_unwritten_tail(
    tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    directory = tmp_path_factory.mktemp("flip")
    heads = recorded(directory, 12)
    paths = [segment(directory, number) for number in segments(directory)]
    place %= sum(path.stat().st_size for path in paths)
    for path in paths:
        if place < (size := path.stat().st_size):
            break
        place -= size
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << bit
    path.write_bytes(data)
    closing_link = path == paths[-1] and place >= heads[-1].offset
    assert flaws(directory, heads) or closing_link


@given(st.integers(0, 600))
@settings(max_examples=60, deadline=None)
def test_a_tail_torn_by_a_kill_is_no_flaw(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("torn")
    recorded(directory, 12)
    last = segment(directory, segments(directory)[-1])
    os.truncate(last, max(0, last.stat().st_size - cut))
    assert flaws(directory) == []
    write(directory, 99)
    assert flaws(directory) == []
    assert numbers(directory)[-1] == 99


def test_a_tail_left_by_a_failing_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its whole frames are there twice, and readers meet them: the chain vouches for the second time only."""
    room = [1 << 30]

    def write_some(descriptor: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(5, "Input/output error")
        done = os.write(descriptor, data[: room[0]])
        room[0] -= done
        return done

    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, write=write_some)
    writer.append(numbered(0))
    writer.flush()
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", write_some)
        for number in (1, 2):
            writer.append(numbered(number))
        room[0] = len(frame(numbered(1))) + 3
        with pytest.raises(SpoolError, match="not recorded"):
            writer.flush()
    room[0] = 1 << 30
    writer.close()
    assert numbers(tmp_path) == [0, 1, 1, 2]
    assert flaws(tmp_path) == [("unvouched", 1)]


def test_compression_and_retirement_leave_the_chain_whole(tmp_path: Path) -> None:
    heads = recorded(tmp_path)
    number = segments(tmp_path)[-1]
    upkeep = Upkeep(tmp_path, Keep(bytes=3000))
    upkeep.tend()
    left = segments(tmp_path)
    assert left[0] > 2
    assert left[-1] == number
    assert not plain_path(tmp_path, left[0]).exists()
    report = verify_chain(tmp_path, heads)
    assert report.ok
    assert report.anchors == len({head[1:3] for head in heads if head.segment in left})
    recorded(tmp_path, 6)
    assert flaws(tmp_path) == []


def test_a_segment_retired_during_the_check_is_no_flaw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path)
    reads = itertools.count()
    begin = SegmentReader.__iter__

    def read(reader: SegmentReader) -> Iterator[tuple[Position, bytes]]:
        if next(reads) == len(segments(tmp_path)):  # the first links are read, the records are not
            Upkeep(tmp_path, Keep(bytes=0)).tend()
        return begin(reader)

    monkeypatch.setattr(SegmentReader, "__iter__", read)
    assert flaws(tmp_path) == []
    assert len(segments(tmp_path)) == 1


def test_a_retirement_that_was_not_on_record_is_named(tmp_path: Path) -> None:
    recorded(tmp_path)
    Upkeep(tmp_path, Keep(bytes=4000)).tend()
    lines = (tmp_path / "retired.jsonl").read_bytes().splitlines(keepends=True)
    assert len(lines) >= 3
    (tmp_path / "retired.jsonl").write_bytes(b"".join(lines[:-1]))
    assert flaws(tmp_path) == [("missing", len(lines))]
    (tmp_path / "retired.jsonl").write_bytes(b"".join(lines[:1] + lines[2:]))
    assert flaws(tmp_path) == [("tampered", 3)]
    forged = orjson.loads(lines[-1]) | {"ends": "0" * 64}
    (tmp_path / "retired.jsonl").write_bytes(b"".join([*lines[:-1], orjson.dumps(forged) + b"\n"]))
    assert flaws(tmp_path) == [("tampered", len(lines) + 1)]
    forged = orjson.loads(lines[1]) | {"ingested": True}
    (tmp_path / "retired.jsonl").write_bytes(b"".join([lines[0], orjson.dumps(forged) + b"\n", *lines[2:]]))
    assert flaws(tmp_path) == [("tampered", 3)]


def test_a_link_of_a_later_version_or_of_nonsense_is_none(tmp_path: Path) -> None:
    for payload in (b'{"t":"chain","v":2}', b'{"t":"chain"', b'{"t":"chain","v":1,"boot":"b","after":3}'):
        segment(tmp_path).write_bytes(header(payload) + payload + frame(numbered(0)))
        assert first_link(tmp_path, 1) is None
        assert numbers(tmp_path) == [0]
