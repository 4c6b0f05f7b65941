"""Acknowledged means recorded or counted as lost: disks that fail at any call, fill up, and come back."""

import errno
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.recording import Keep, SpoolError, SpoolWriter, Upkeep, verify_chain
from gateway.recording.segments import segments
from tests.gateway.recording.samples import frame, lay, numbered, numbers, segment

ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Faults:
    """Every call of the system that writing takes may fail, some after half of the work."""

    def __init__(self, rng: random.Random, share: float) -> None:
        self.share = share
        self._rng = rng
        self._write, self._open, self._ftruncate = os.write, os.open, os.ftruncate

    def write(self, descriptor: int, data: bytes) -> int:
        if self._hit():
            if self._rng.random() < 0.5 and len(data) > 1:
                return self._write(descriptor, data[: self._rng.randrange(1, len(data))])
            self._fail()
        return self._write(descriptor, data)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_WRONLY and self._hit():
            self._fail()
        return self._open(path, flags, mode)

    def ftruncate(self, descriptor: int, size: int) -> None:
        if self._hit():
            self._fail()
        self._ftruncate(descriptor, size)

    def _hit(self) -> bool:
        return self._rng.random() < self.share

    def _fail(self) -> None:
        number = self._rng.choice(ERRORS)
        raise OSError(number, os.strerror(number))


def install(faults: Faults, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(os, "open", faults.open)
    patch.setattr(os, "ftruncate", faults.ftruncate)


@given(st.integers(0, 1 << 32), st.sampled_from([0.02, 0.2, 0.6]), st.sampled_from([300, 2000, 1 << 20]))
@settings(max_examples=100, deadline=None)
def test_acknowledged_means_recorded_or_counted(
    tmp_path_factory: pytest.TempPathFactory, seed: int, share: float, segment_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("faults")
    rng = random.Random(seed)
    faults = Faults(rng, share)
    acknowledged: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        writer = SpoolWriter(directory, segment_bytes=segment_bytes, keep_bytes=2500, write=faults.write)
        install(faults, patch)
        for number in range(120):
            writer.append(numbered(number, pad="x" * rng.randrange(120)))
            if rng.random() < 0.4:
                _flush(writer)
                acknowledged = list(range(number + 1))
                _accounted(directory, writer, acknowledged)
        faults.share = 0.0
        writer.close()
    _accounted(directory, writer, list(range(120)))
    assert writer.waiting == 0
    assert {flaw.kind for flaw in verify_chain(directory, [writer.head]).flaws} <= {"unvouched"}


def _flush(writer: SpoolWriter) -> None:
    """Fail open: what waited for it is acknowledged either way."""
    try:
        writer.flush()
    except SpoolError:
        assert writer.waiting > 0


def _accounted(directory: Path, writer: SpoolWriter, acknowledged: list[int]) -> None:
    read = numbers(directory)
    recorded = list(dict.fromkeys(read))  # a batch whose first part could not be cut comes again
    assert recorded == sorted(recorded)
    assert set(recorded) <= set(acknowledged)
    assert len(recorded) + writer.lost + writer._frames >= len(acknowledged)
    assert writer.written + writer.lost + writer._frames == len(acknowledged)


def test_a_disk_that_dies_for_good_loses_what_it_says(tmp_path: Path) -> None:
    broken = [False]

    def put(descriptor: int, data: bytes) -> int:
        if broken[0]:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return os.write(descriptor, data)

    writer = SpoolWriter(tmp_path, segment_bytes=1000, write=put)
    for number in range(10):
        broken[0] = number >= 6
        writer.append(numbered(number))
        _flush(writer)
    with pytest.raises(SpoolError):
        writer.close()
    assert (numbers(tmp_path), writer.lost) == (list(range(6)), 4)


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_the_last_frames_of_a_chained_segment_under_every_damage(tmp_path: Path, damage: str) -> None:
    """Whatever happens to the end of a spool, its longest valid prefix is kept, and recording goes on behind it."""
    writer = SpoolWriter(tmp_path / "whole", segment_bytes=1 << 20)
    for number in range(6):
        writer.append(numbered(number))
        writer.flush()
    writer.close()
    whole = segment(tmp_path / "whole").read_bytes()
    size = len(frame(numbered(0)))
    end = whole.rindex(frame(numbered(5))) + size
    places = range(end - 3 * size, len(whole)) if damage == "cut" else range((end - 3 * size) * 8, len(whole) * 8)
    for place in places:
        directory = tmp_path / f"{place}"
        directory.mkdir()
        data = bytearray(whole)
        if damage == "cut":
            del data[place:]
        else:
            data[place // 8] ^= 1 << place % 8
        byte = place if damage == "cut" else place // 8
        segment(directory).write_bytes(data)
        SpoolWriter(directory, segment_bytes=1 << 20).close()
        kept = min(6, 3 + (byte - (end - 3 * size)) // size)
        assert numbers(directory) == list(range(kept))
        assert verify_chain(directory).ok


def test_upkeep_on_a_disk_that_fails_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5)
    for number in range(1, 20):
        lay(tmp_path, number, number=number)

    def unsteady(call: Callable[..., object]) -> Callable[..., object]:
        def act(*args: object) -> object:
            if rng.random() < 0.3:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return call(*args)

        return act

    keeper = Upkeep(tmp_path, Keep())
    with monkeypatch.context() as patch:
        for name in ("fsync", "fchmod", "pread"):
            patch.setattr(os, name, unsteady(getattr(os, name)))
        for _ in range(60):
            keeper.guarded_pass()
    assert numbers(tmp_path) == list(range(1, 20))
    assert keeper.faults > 5
    assert len(list(tmp_path.glob("*.zst"))) == len(segments(tmp_path)) - 1
