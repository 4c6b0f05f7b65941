"""Group commit: one write a tick, callbacks behind it, and never a client that waits for a broken disk."""

import asyncio
import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.recording import GroupCommit, SpoolError, SpoolWriter
from tests.gateway.recording.samples import SEGMENT, numbered, numbers


class Disk:
    """`os.write` that may be broken, and that others can wait for."""

    def __init__(self) -> None:
        self.broken = False
        self.writes = 0
        self._written = asyncio.Event()

    async def tried(self, times: int) -> None:
        """Return when a write was tried for the `times`-th time."""
        while self.writes < times:
            self._written.clear()
            await self._written.wait()

    def __call__(self, descriptor: int, data: bytes) -> int:
        self.writes += 1
        self._written.set()
        if self.broken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return os.write(descriptor, data)


class Setup:
    """A group commit on a disk that may break, with all that came of it."""

    def __init__(self, directory: Path, retry_s: float = 60.0) -> None:
        self.directory = directory
        self.disk = Disk()
        self.errors: list[SpoolError] = []
        self.ran: list[tuple[int, int]] = []  # (number, frames on disk when its callback ran)
        self.writer = SpoolWriter(directory, segment_bytes=SEGMENT, write=self.disk)
        self.group = GroupCommit(self.writer, asyncio.get_running_loop(), self.errors.append, retry_s=retry_s)

    def append(self, number: int) -> None:
        self.group.append(numbered(number), self.then(number))

    def then(self, number: int) -> Callable[[], None]:
        return lambda: self.ran.append((number, len(numbers(self.directory))))

    async def tick(self) -> None:
        done = asyncio.Event()
        self.group.append(numbered(-1), done.set)
        await done.wait()


async def test_the_frames_of_a_tick_are_one_write_before_their_callbacks(tmp_path: Path) -> None:
    here = Setup(tmp_path)
    for number in range(50):
        here.append(number)
    assert (here.disk.writes, here.ran) == (0, [])
    await here.tick()
    assert here.disk.writes == 1
    assert here.ran == [(number, 51) for number in range(50)]
    await here.tick()
    assert here.disk.writes == 2
    here.writer.close()


async def test_a_callback_may_append_to_the_next_tick(tmp_path: Path) -> None:
    here = Setup(tmp_path)
    on_disk: list[list[int]] = []

    def then() -> None:
        here.append(1)
        on_disk.append(numbers(tmp_path))

    here.group.append(numbered(0), then)
    await here.tick()
    await here.tick()
    assert on_disk == [[0, -1]]
    assert numbers(tmp_path)[2] == 1
    assert [number for number, _ in here.ran] == [1]
    here.writer.close()


async def test_callbacks_run_where_the_disk_fails_and_it_is_not_tried_each_tick(tmp_path: Path) -> None:
    here = Setup(tmp_path)
    here.disk.broken = True
    for number in range(5):
        here.append(number)
        await here.tick()
    assert [number for number, _ in here.ran] == [0, 1, 2, 3, 4]
    assert (here.disk.writes, here.group.failures, len(here.errors)) == (1, 1, 1)
    here.disk.broken = False
    here.group.close()
    here.writer.close()
    assert numbers(tmp_path) == [0, -1, 1, -1, 2, -1, 3, -1, 4, -1]


async def test_a_disk_that_recovers_gets_all_frames_without_further_traffic(tmp_path: Path) -> None:
    here = Setup(tmp_path, retry_s=0.001)
    here.disk.broken = True
    await here.tick()
    await here.disk.tried(times=3)
    assert (len(here.errors), here.group.failures, numbers(tmp_path)) == (3, 3, [])
    here.disk.broken = False
    await here.disk.tried(times=4)
    assert numbers(tmp_path) == [-1]
    await here.tick()
    assert (numbers(tmp_path), here.group.failures) == ([-1, -1], 3)
    here.writer.close()


async def test_a_callback_that_fails_does_not_hold_back_the_others(tmp_path: Path) -> None:
    here = Setup(tmp_path)
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    here.append(0)
    here.group.append(numbered(1), lambda: 1 // 0)  # type: ignore[arg-type]
    here.append(2)
    await here.tick()
    assert [number for number, _ in here.ran] == [0, 2]
    assert [type(context["exception"]) for context in heard] == [ZeroDivisionError]
    here.writer.close()


async def test_closing_commits_what_waits_at_once(tmp_path: Path) -> None:
    here = Setup(tmp_path)
    here.append(0)
    here.group.close()
    assert here.ran == [(0, 1)]
    here.writer.close()
