"""The writer: rotation, restart, and disks that fail at any moment."""

import errno
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recording import Position, SpoolError, SpoolWriter, read_frames, recover
from gateway.recording.wire import MAX_PAYLOAD
from tests.gateway.recording.samples import SEGMENT, frame, lay, link_size, numbered, numbers, segment, write


class FailingDisk:
    """`os.write` that fails with `error` after `room` more bytes; None: works."""

    def __init__(self, error: int = errno.ENOSPC) -> None:
        self.room: int | None = None
        self.error = error
        self.writes = 0

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.writes += 1
        if self.room is None:
            return os.write(descriptor, data)
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        written = os.write(descriptor, data[: self.room])
        self.room -= written
        return written


def test_a_flush_is_one_write(tmp_path: Path) -> None:
    disk = FailingDisk()
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, write=disk)
    for number in range(100):
        writer.append(numbered(number))
    assert disk.writes == 0
    writer.flush()
    writer.flush()
    assert disk.writes == 1
    writer.close()
    assert numbers(tmp_path) == list(range(100))


def test_position_is_the_end_of_what_is_written(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    writer.append(b"abc")
    assert (writer.position, writer.waiting) == (Position(1, 0), 11)
    writer.flush()
    assert (writer.position, writer.waiting) == (Position(1, link_size(tmp_path) + 11), 0)
    assert segment(tmp_path).stat().st_size == writer.position.offset
    writer.close()


def test_segments_rotate_before_they_exceed_their_size(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=1000)
    for number in range(10):
        writer.append(numbered(number, pad="x" * 200))
        writer.flush()
    writer.close()
    held = Counter(position.segment for position, _ in read_frames(tmp_path))
    assert held == {1: 3, 2: 3, 3: 3, 4: 1}
    assert all(path.stat().st_size <= 1000 for path in tmp_path.iterdir())
    assert numbers(tmp_path) == list(range(10))


def test_a_frame_larger_than_a_segment_has_one_of_its_own(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=4096)
    for number, size in enumerate([10, 10_000, 10]):
        writer.append(numbered(number, pad="x" * size))
        writer.flush()
    writer.close()
    assert numbers(tmp_path) == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_restart_goes_on_in_the_next_segment(tmp_path: Path) -> None:
    write(tmp_path, 0)
    write(tmp_path)
    write(tmp_path, 1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000001.spool", "00000002.spool"]
    assert numbers(tmp_path) == [0, 1]


def test_recordings_are_private(tmp_path: Path) -> None:
    write(tmp_path / "spool" / "w0", 0)
    assert segment(tmp_path / "spool" / "w0").stat().st_mode & 0o077 == 0
    assert (tmp_path / "spool" / "w0").stat().st_mode & 0o077 == 0


@given(st.integers(0, 80))
def test_a_restart_cuts_a_torn_tail(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("torn")
    size = len(frame(numbered(0)))
    whole = lay(directory, 0, 1, 2, 3, 4).read_bytes()
    kept = max(0, len(whole) - cut)
    os.truncate(segment(directory), kept)
    whole_size = kept - kept % size
    write(directory, 5)
    assert segment(directory).read_bytes()[:whole_size] == whole[:whole_size]
    assert segment(directory).stat().st_size == whole_size or not whole_size
    assert numbers(directory) == [*range(kept // size), 5]


def test_recover_says_what_it_cut(tmp_path: Path) -> None:
    lay(tmp_path, 0, 1)
    os.truncate(segment(tmp_path), len(frame(numbered(0))) + 5)
    assert [recover(tmp_path), recover(tmp_path)] == [5, 0]
    assert numbers(tmp_path) == [0]


def test_recover_needs_no_folder(tmp_path: Path) -> None:
    assert recover(tmp_path / "absent") == 0


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("room", [0, 1, 7, 8, 14])
def test_a_failing_disk_delays_frames_and_loses_none(tmp_path: Path, room: int, error: int) -> None:
    disk = FailingDisk(error)
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, write=disk)
    writer.append(numbered(0))
    writer.flush()
    before = segment(tmp_path).read_bytes()
    for number in (1, 2):
        disk.room = room
        writer.append(numbered(number))
        with pytest.raises(SpoolError, match="free space"):
            writer.flush()
        assert segment(tmp_path).read_bytes() == before
    disk.room = None
    writer.append(numbered(3))
    writer.close()
    assert numbers(tmp_path) == [0, 1, 2, 3]
    assert writer.lost == 0


def test_beyond_the_bound_new_frames_are_dropped_and_counted(tmp_path: Path) -> None:
    disk = FailingDisk()
    size = len(frame(numbered(0)))
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, keep_bytes=3 * size, write=disk)
    disk.room = 0
    for number in range(5):
        writer.append(numbered(number))
    with pytest.raises(SpoolError):
        writer.flush()
    assert writer.lost == 0, "what is appended before the disk is known to fail is kept"
    for number in range(5, 8):
        writer.append(numbered(number))
    assert (writer.lost, writer.waiting) == (3, 5 * size)
    disk.room = None
    writer.flush()
    writer.append(numbered(8))
    writer.close()
    assert numbers(tmp_path) == [0, 1, 2, 3, 4, 8]
    assert writer.lost == 3


def test_a_tail_that_can_not_be_cut_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = FailingDisk(errno.EIO)
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, write=disk)
    writer.append(numbered(0))
    writer.flush()
    with monkeypatch.context() as broken:
        broken.setattr(os, "ftruncate", _raise(errno.EIO))
        disk.room = 12
        writer.append(numbered(1))
        with pytest.raises(SpoolError):
            writer.flush()
    disk.room = None
    writer.append(numbered(2))
    writer.flush()
    assert writer.position.segment == 2
    writer.close()
    assert segment(tmp_path).stat().st_size == link_size(tmp_path) + len(frame(numbered(0))) + 12
    assert numbers(tmp_path) == [0, 1, 2]


def test_a_segment_that_can_not_be_opened_delays_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=1)
    writer.append(numbered(0))
    writer.flush()
    writer.append(numbered(1))
    with monkeypatch.context() as broken:
        broken.setattr(os, "open", _raise(errno.EMFILE))
        with pytest.raises(SpoolError, match="Too many open files"):
            writer.flush()
    writer.close()
    assert numbers(tmp_path) == [0, 1]


def test_a_payload_that_fits_no_frame_is_lost_and_counted(tmp_path: Path) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    writer.append(b"")
    writer.append(bytes(MAX_PAYLOAD + 1))
    writer.append(numbered(0))
    writer.close()
    assert (writer.lost, numbers(tmp_path)) == (2, [0])


def test_one_process_writes_a_folder_at_a_time(tmp_path: Path) -> None:
    first = SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    with pytest.raises(SpoolError, match="another process records there"):
        SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    first.close()
    first.close()
    SpoolWriter(tmp_path, segment_bytes=SEGMENT).close()


def test_a_folder_that_can_not_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError, match="set EVOGATE_HOME"):
        SpoolWriter(tmp_path / "file" / "w0", segment_bytes=SEGMENT)


def test_a_segment_that_can_not_be_made_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr("gateway.recording.writer.next_segment", _raise(errno.EACCES))
        with pytest.raises(SpoolError, match="Permission denied"):
            SpoolWriter(tmp_path, segment_bytes=SEGMENT)
    write(tmp_path, 0)
    assert numbers(tmp_path) == [0]


def _raise(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail
