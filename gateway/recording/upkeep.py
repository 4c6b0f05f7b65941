"""Upkeep of a writer's folder: sealed segments are compressed, and retired by age and size.

1. Only segments that have a successor: nobody writes to them any more. The newest is never touched.
2. Nothing is lost by a kill: a compressed file stands, durable, before the plain one goes; a retirement is on record,
   durable, before the segment goes. What a kill leaves behind is finished or cleared by the next pass.
3. Age retires what the evolver has consumed, and nothing else. Size retires the oldest whatever it holds.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from gateway.recording.chain import first_link
from gateway.recording.consumed import read_consumed
from gateway.recording.pace import Pace, StoppedError
from gateway.recording.retired import Retired, Why, read_retired, remember
from gateway.recording.sealed import compress, sync_folder
from gateway.recording.segments import modified, plain_path, sealed_path, segment_path, segments

log = logging.getLogger("evogate.recording")

EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Keep:
    """What is kept: compressed or not, at most how many bytes on the disk, at most how many seconds; None: no limit."""

    compress: bool = True
    bytes: int | None = None
    seconds: float | None = None


class Upkeep:
    """Keeps one writer's folder, in the writer's process, in a thread of its own."""

    def __init__(
        self, directory: Path, keep: Keep, *, now: Callable[[], float] = time.time, pace: Pace | None = None
    ) -> None:
        self.keep = keep  # may be replaced at any time
        self.faults = 0  # passes that failed
        self.retired = 0  # segments, since the start
        self._directory = directory
        self._now = now
        self._pace = pace or Pace()

    async def run(self, every_s: float = EVERY_S) -> None:
        """A pass each `every_s` seconds, for ever; cancelling it stops a pass under way at its next block."""
        with ThreadPoolExecutor(1, "upkeep") as thread:
            try:
                while True:
                    await asyncio.get_running_loop().run_in_executor(thread, self.guarded_pass)
                    await asyncio.sleep(every_s)
            finally:
                self._pace.stop()

    def guarded_pass(self) -> None:
        """One pass; a failing disk is logged and counted, the next pass tries again."""
        try:
            self.tend()
        except StoppedError:
            return
        except Exception as error:  # noqa: BLE001  it tends the folder for as long as the worker lives
            self.faults += 1
            log.warning("%s: upkeep failed: %s", self._directory, error)

    def tend(self) -> None:
        """One pass: first what a kill left, then retirement, then compression.

        Raises:
            OSError, SpoolError: the disk fails; nothing is lost.
            StoppedError: the pace was told to stop.
        """
        self._clear()
        self._retire()
        if self.keep.compress:
            for number in segments(self._directory)[:-1]:
                self._compress(number)

    def _clear(self) -> None:
        for unfinished in self._directory.glob("*.spool.zst.tmp"):
            unfinished.unlink()
        gone = {row.segment for row in read_retired(self._directory).rows}
        for number in segments(self._directory)[:-1]:
            if number in gone:
                self._remove(number)
            elif sealed_path(self._directory, number).exists():
                plain_path(self._directory, number).unlink(missing_ok=True)

    def _compress(self, number: int) -> None:
        plain, sealed = plain_path(self._directory, number), sealed_path(self._directory, number)
        if plain.exists() and not sealed.exists():
            self._pace.begin()
            compress(plain, sealed, self._pace)
            plain.unlink()

    # -- retirement --------------------------------------------------------------------------------------------

    def _retire(self) -> None:
        known = segments(self._directory)
        sizes = {number: segment_path(self._directory, number).stat().st_size for number in known}
        total = sum(sizes.values())
        consumed = read_consumed(self._directory)
        for number, following in pairwise(known):
            ingested = consumed is not None and consumed.segment > number
            why = self._why(number, total, ingested=ingested)
            if why is None or not segment_path(self._directory, following).stat().st_size:
                return  # the link at the beginning of the next one says how this one ended
            self._retire_one(number, following, sizes[number], why, ingested=ingested)
            total -= sizes[number]

    def _why(self, number: int, total: int, *, ingested: bool) -> Why | None:
        if self.keep.bytes is not None and total > self.keep.bytes:
            return "size"
        last_at = modified(self._directory, number) or 0.0
        old = self.keep.seconds is not None and last_at < self._now() - self.keep.seconds
        return "age" if old and ingested else None

    def _retire_one(self, number: int, following: int, size: int, why: Why, *, ingested: bool) -> None:
        starts, ends = first_link(self._directory, number), first_link(self._directory, following)
        row = Retired(
            segment=number,
            bytes=size,
            last_at=modified(self._directory, number) or 0.0,
            retired_at=self._now(),
            why=why,
            ingested=ingested,
            starts=starts.link if starts else None,
            ends=ends.link if ends else None,
        )
        remember(self._directory, row)
        self._remove(number)
        self.retired += 1
        level = logging.INFO if ingested else logging.WARNING
        note = "" if ingested else ", which the evolver had not read"
        log.log(level, "%s: segment %08d retired by %s: %d bytes%s", self._directory, number, why, size, note)

    def _remove(self, number: int) -> None:
        for path in (sealed_path(self._directory, number), plain_path(self._directory, number)):
            path.unlink(missing_ok=True)
        sync_folder(self._directory)
