"""Compressed segments: the same records at the same positions, whole or not there, and damage stays where it is."""

import os
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest

from gateway.recording import Damage, Position, SpoolWriter, read_frames, recover, sealed
from gateway.recording.segments import SegmentReader, modified, plain_path, sealed_path, segments
from tests.gateway.recording.samples import SEGMENT, frame, lay, numbered, numbers, write

BLOCK = 512


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BLOCK_BYTES", BLOCK)


def seal(directory: Path, *, keep: bool = False) -> Path:
    """Compress segment 1."""
    sealed.compress(plain_path(directory, 1), sealed_path(directory, 1))
    if not keep:
        plain_path(directory, 1).unlink()
    return sealed_path(directory, 1)


def recorded(directory: Path, count: int = 60) -> None:
    writer = SpoolWriter(directory, segment_bytes=SEGMENT)
    for number in range(count):
        writer.append(numbered(number, pad=os.urandom(number % 40).hex()))
        writer.flush()
    writer.close()


def test_sealed_frames_have_the_positions_that_they_had(tmp_path: Path) -> None:
    recorded(tmp_path)
    before = list(read_frames(tmp_path))
    size = plain_path(tmp_path, 1).stat().st_size
    seal(tmp_path)
    assert list(read_frames(tmp_path)) == before
    for done, (position, _) in enumerate(before, 1):
        assert numbers(tmp_path, position) == list(range(done, 60))
    assert SegmentReader(tmp_path, 1).left() == size


def test_a_frame_of_many_blocks_and_chunks_that_end_anywhere(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    writer.append(orjson.dumps({"n": 0, "pad": "y" * 5000}))
    writer.append(numbered(1))
    writer.close()
    seal(tmp_path)
    for chunk_bytes in (1, 8, 100, 511, 512, 513, 100_000):
        assert [orjson.loads(payload)["n"] for _, payload in SegmentReader(tmp_path, 1, chunk_bytes=chunk_bytes)] == [
            0,
            1,
        ]


def test_one_record_is_read_from_one_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BLOCK_BYTES", 4096)
    recorded(tmp_path, 2000)
    places = [position for position, _ in read_frames(tmp_path)]
    seal(tmp_path)
    taken: list[int] = []
    pread = os.pread

    def counting(descriptor: int, size: int, offset: int) -> bytes:
        taken.append(size)
        return pread(descriptor, size, offset)

    monkeypatch.setattr(os, "pread", counting)
    _, payload = next(iter(SegmentReader(tmp_path, 1, places[1500].offset, chunk_bytes=256)))
    assert orjson.loads(payload)["n"] == 1501
    assert sum(taken) < 20_000


@pytest.mark.skipif(shutil.which("zstd") is None, reason="the zstd command is not installed")
def test_the_zstd_command_gives_the_segment_back(tmp_path: Path) -> None:
    recorded(tmp_path)
    plain = plain_path(tmp_path, 1).read_bytes()
    path = seal(tmp_path)
    assert subprocess.run(["zstd", "-dc", path], capture_output=True, check=True).stdout == plain


def test_the_time_and_the_mode_are_kept(tmp_path: Path) -> None:
    recorded(tmp_path)
    os.utime(plain_path(tmp_path, 1), (1000.0, 2000.0))
    path = seal(tmp_path)
    assert (modified(tmp_path, 1), path.stat().st_mode & 0o077) == (2000.0, 0)
    assert modified(tmp_path, 7) is None


def test_an_empty_segment_can_be_sealed(tmp_path: Path) -> None:
    plain_path(tmp_path, 1).touch()
    seal(tmp_path)
    assert (segments(tmp_path), numbers(tmp_path), SegmentReader(tmp_path, 1).left()) == ([1], [], 0)


def test_a_segment_with_a_torn_tail_is_sealed_as_it_is(tmp_path: Path) -> None:
    lay(tmp_path, 0, 1)
    size = len(frame(numbered(0)))
    os.truncate(plain_path(tmp_path, 1), size + 5)
    lay(tmp_path, 2, number=2)
    seal(tmp_path)
    damages: list[Damage] = []
    assert [value["n"] for _, value in read_frames(tmp_path, on_damage=damages.append)] == [0, 2]
    assert damages == [Damage(sealed_path(tmp_path, 1), size, 5)]


def test_where_both_files_stand_each_frame_is_met_once(tmp_path: Path) -> None:
    recorded(tmp_path)
    seal(tmp_path, keep=True)
    assert numbers(tmp_path) == list(range(60))


def test_a_reader_goes_on_while_its_segment_is_sealed(tmp_path: Path) -> None:
    recorded(tmp_path)
    write(tmp_path, 60)
    stream = read_frames(tmp_path)
    seen = [next(stream)[1]["n"] for _ in range(10)]
    seal(tmp_path)
    assert seen + [payload["n"] for _, payload in stream] == list(range(61))


def test_a_writer_goes_on_behind_a_sealed_segment(tmp_path: Path) -> None:
    recorded(tmp_path)
    seal(tmp_path)
    assert recover(tmp_path) == 0
    write(tmp_path, 60)
    assert (segments(tmp_path), numbers(tmp_path)) == ([1, 2], list(range(61)))


def test_a_failure_at_any_step_leaves_the_plain_segment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded(tmp_path)
    for step in ("fchmod", "fstat", "utime", "fsync"):
        with monkeypatch.context() as broken:
            broken.setattr(os, step, _fail)
            with pytest.raises(OSError, match="no luck"):
                seal(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001.spool"]
    assert numbers(tmp_path) == list(range(60))


def test_every_truncation_leaves_the_blocks_before_it(tmp_path: Path) -> None:
    recorded(tmp_path)
    plain = plain_path(tmp_path, 1).read_bytes()
    path = seal(tmp_path)
    whole = path.read_bytes()
    for size in reversed(range(len(whole))):
        os.truncate(path, size)
        with sealed.SealedFile(path) as file:
            read = file.read(1 << 20, 0)
            assert plain.startswith(read)
            assert len(read) % BLOCK == 0 or read == plain
            assert file.size() >= len(read)
    path.write_bytes(whole)
    assert numbers(tmp_path) == list(range(60))


def test_every_bit_flip_leaves_the_blocks_before_it(tmp_path: Path) -> None:
    recorded(tmp_path, 12)
    plain = plain_path(tmp_path, 1).read_bytes()
    path = seal(tmp_path)
    whole = path.read_bytes()
    with sealed.SealedFile(path) as file:
        starts = file._starts
    with path.open("r+b", buffering=0) as disk:
        for place in range(len(whole) * 8):
            byte, bit = divmod(place, 8)
            os.pwrite(disk.fileno(), bytes([whole[byte] ^ 1 << bit]), byte)
            with sealed.SealedFile(path) as file:
                read = file.read(1 << 20, 0)
            os.pwrite(disk.fileno(), whole[byte : byte + 1], byte)
            assert plain.startswith(read)
            assert len(read) >= min(sum(end <= byte for end in starts[1:]) * BLOCK, len(plain))


def test_damage_in_a_sealed_segment_is_reported_and_stepped_over(tmp_path: Path) -> None:
    recorded(tmp_path)
    size = plain_path(tmp_path, 1).stat().st_size
    write(tmp_path, 60)
    path = seal(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    damages: list[Damage] = []
    read = list(read_frames(tmp_path, on_damage=damages.append))
    assert [value["n"] for _, value in read] == [*range(len(read) - 1), 60]
    assert 10 < len(read) < 50
    assert damages == [Damage(path, read[-2][0].offset, size - read[-2][0].offset)]


def test_a_position_in_a_sealed_segment_may_be_beyond_its_end(tmp_path: Path) -> None:
    recorded(tmp_path)
    seal(tmp_path)
    assert numbers(tmp_path, Position(1, 1 << 30)) == []


def _fail(*_: object, **__: object) -> None:
    raise OSError("no luck")
