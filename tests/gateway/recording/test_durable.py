"""The level power_safe: nobody is answered before the disk has it, and the loop never waits."""

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from gateway.recording import DurableCommit, SpoolError, SpoolWriter, sync
from tests.gateway.recording.samples import SEGMENT, numbered, numbers


class Disk:
    """`fdatasync` that waits for leave, and remembers what the files held; `os.write` that may fail."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.leave = threading.Semaphore(0)
        self.begun = threading.Semaphore(0)
        self.synced: list[list[int]] = []
        self.threads: set[int] = set()
        self.error: OSError | None = None
        self.full = False

    def free(self) -> None:
        self.leave.release(1000)

    def sync(self, descriptor: int) -> None:
        self.threads.add(threading.get_ident())
        self.begun.release()
        if not self.leave.acquire(timeout=30):
            raise TimeoutError
        if self.error is not None:
            raise self.error
        os.fsync(descriptor)
        self.synced.append(numbers(self.directory))

    def write(self, descriptor: int, data: bytes) -> int:
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(descriptor, data)


class Setup:
    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch, group_s: float) -> None:
        self.disk = Disk(directory)
        monkeypatch.setattr(sync, "_fdatasync", self.disk.sync)
        self.errors: list[SpoolError] = []
        self.ran: list[int] = []
        self.writer = SpoolWriter(directory, segment_bytes=SEGMENT, write=self.disk.write, durable=True)
        loop = asyncio.get_running_loop()
        self.group = DurableCommit(self.writer, loop, self.errors.append, retry_s=60.0, group_s=group_s)

    def append(self, number: int, *, durable: bool = True) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()

        def then() -> None:
            self.ran.append(number)
            done.set_result(None)

        self.group.append(numbered(number), then, durable=durable)
        return done

    async def syncing(self) -> None:
        """Until a sync has begun."""
        assert await asyncio.to_thread(self.disk.begun.acquire, timeout=30)


@pytest.fixture
async def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    return Setup(tmp_path, monkeypatch, 0.0)


async def test_callbacks_wait_for_the_disk_in_a_thread(here: Setup) -> None:
    waiting = [here.append(number) for number in range(3)]
    await here.syncing()
    assert (here.ran, numbers(here.disk.directory)) == ([], [0, 1, 2])
    here.disk.free()
    await asyncio.gather(*waiting)
    assert here.ran == [0, 1, 2]
    assert here.disk.synced[0] == [0, 1, 2]
    assert threading.get_ident() not in here.disk.threads
    here.group.close()
    here.writer.close()


async def test_what_comes_during_a_sync_is_the_next_group(here: Setup) -> None:
    first = here.append(0)
    await here.syncing()
    more = [here.append(number) for number in range(1, 20)]
    here.disk.free()
    await first
    assert here.ran == [0]
    await asyncio.gather(*more)
    assert here.ran == list(range(20))
    assert here.disk.synced[-1] == list(range(20))
    assert len(here.disk.synced) == 3, "the folder is synced with its first file, and not again"
    here.group.close()
    here.writer.close()


async def test_some_need_the_write_only(here: Setup) -> None:
    last = here.append(1)
    await here.append(0, durable=False)
    assert here.ran == [0]
    here.disk.free()
    await last
    here.group.close()
    here.writer.close()


async def test_all_segments_written_since_the_last_sync_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = Setup(tmp_path, monkeypatch, 0.0)
    here.writer._segment_bytes = 1
    first = here.append(0)
    await here.syncing()
    for number in (1, 2, 3):
        await here.append(number, durable=False)
    last = here.append(4)
    here.disk.free()
    await asyncio.gather(first, last)
    assert len(here.disk.synced) == 2 + 5 + 1
    here.group.close()
    here.writer.close()
    assert numbers(tmp_path) == [0, 1, 2, 3, 4]


async def test_syncs_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Setup(tmp_path, monkeypatch, 0.03)
    here.disk.free()
    loop = asyncio.get_running_loop()
    began = loop.time()
    for number in range(4):
        await here.append(number)
    assert 3 * 0.03 <= loop.time() - began < 20
    here.group.close()
    here.writer.close()


async def test_a_sync_that_fails_counts_its_group_as_lost(here: Setup) -> None:
    here.disk.free()
    await here.append(0)
    here.disk.error = OSError(errno.EIO, os.strerror(errno.EIO))
    await asyncio.gather(here.append(1), here.append(2))
    assert (here.writer.lost, here.group.failures, len(here.errors)) == (2, 1, 1)
    assert "2 records may not be on the disk" in str(here.errors[0])
    here.disk.error = None
    await here.append(3)
    assert here.writer.position.segment == 2
    assert here.writer.lost == 2
    here.group.close()
    here.writer.close()


async def test_nobody_waits_for_a_full_disk(here: Setup) -> None:
    here.disk.full = True
    await here.append(0)
    await here.append(1)
    assert (here.ran, here.disk.synced, here.group.failures) == ([0, 1], [], 1)
    here.disk.full = False
    here.disk.free()
    here.group.close()
    here.writer.close()
    assert (numbers(here.disk.directory), here.writer.lost) == ([0, 1], 0)


async def test_closing_waits_for_the_disk(here: Setup) -> None:
    here.append(0)
    await here.syncing()
    here.append(1)
    here.disk.free()
    here.group.close()
    assert (here.ran, here.disk.synced[-1]) == ([0, 1], [0, 1])
    here.writer.close()


async def test_no_descriptor_is_left_open(here: Setup) -> None:
    here.disk.free()
    here.writer._segment_bytes = 1
    before = len(os.listdir("/proc/self/fd"))
    for number in range(30):
        await here.append(number, durable=number % 3 == 0)
    assert len(os.listdir("/proc/self/fd")) <= before + 3
    here.group.close()
    here.writer.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_sync_closes_its_files_whatever_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = SpoolWriter(tmp_path, segment_bytes=SEGMENT, durable=True)
    before = len(os.listdir("/proc/self/fd"))
    writer.append(numbered(0))
    writer.flush()
    monkeypatch.setattr(sync, "_fdatasync", Disk.sync)
    with pytest.raises(TypeError):
        writer.unsynced()()
    assert len(os.listdir("/proc/self/fd")) == before
    writer.close()
