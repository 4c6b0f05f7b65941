"""Group commit at the level `power_safe`: what waits for a record waits until the disk has it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as finish
from typing import Final

from gateway.recording.errors import SpoolError
from gateway.recording.group import GroupCommit, Then
from gateway.recording.writer import SpoolWriter

GROUP_S: Final = 0.002


class DurableCommit(GroupCommit):
    """A group commit that also syncs: one `fdatasync` for all that was written since the last, in a thread.

    1. Syncs don't overlap and begin at least `group_s` seconds apart; what comes meanwhile is the next group.
    2. It fails open like its parent: where the disk can't be written, callbacks don't wait for it.
    3. After a failed sync nobody knows what the disk has, and trying again may answer yes without having it (Linux
       marks the pages clean). The group counts as lost, and the writer goes on in a new segment.

    The writer must have been made with `durable=True`.
    """

    def __init__(
        self,
        writer: SpoolWriter,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[SpoolError], None],
        *,
        retry_s: float = 1.0,
        group_s: float = GROUP_S,
    ) -> None:
        super().__init__(writer, loop, on_error, retry_s=retry_s)
        self._group_s = group_s
        self._group: list[Then] = []  # wait for the next sync
        self._syncing: list[Then] = []  # wait for the one under way
        self._counted = 0  # frames written when that began, and when the one before did
        self._covers = 0
        self._sync: Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._not_before = 0.0
        self._executor = ThreadPoolExecutor(1, "spool-sync")

    def append(self, payload: bytes, then: Then | None = None, *, durable: bool = True) -> None:
        """As the parent's. `durable` False: `then` waits for the write only."""
        if then is not None and durable:
            self._group.append(then)
            then = None
        super().append(payload, then)

    def close(self) -> None:
        """Commit and sync what waits, now; blocks until the disk has it."""
        super().close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._sync is not None or self._group:
            if self._sync is None:
                self._begin()
            if self._sync is not None:
                finish([self._sync])
                self._done(self._sync)
        self._executor.shutdown()

    def _commit(self) -> None:
        super()._commit()
        if self._retry is not None:
            self._release_group()
        elif self._group and self._sync is None and self._timer is None:
            self._schedule()

    def _release_group(self) -> None:
        group, self._group = self._group, []
        self._run_all(group)

    def _schedule(self) -> None:
        wait = self._not_before - self._loop.time()
        if wait > 0.0:
            self._timer = self._loop.call_later(wait, self._begin)
        else:
            self._begin()

    def _begin(self) -> None:
        self._timer = None
        self._not_before = self._loop.time() + self._group_s
        self._syncing, self._group = self._group, []
        self._covers = self._writer.written - self._counted
        self._counted = self._writer.written
        try:
            job = self._writer.unsynced()
        except OSError as error:
            self._failed(error)
            return
        self._sync = self._executor.submit(job)
        self._sync.add_done_callback(self._tell)

    def _tell(self, sync: Future[None]) -> None:
        self._loop.call_soon_threadsafe(self._done, sync)

    def _done(self, sync: Future[None]) -> None:
        if sync is not self._sync:
            return  # `close` was faster
        self._sync = None
        error = sync.exception()
        if error is None:
            self._release_synced()
        else:
            self._failed(error)
        if self._group and self._timer is None:
            self._schedule()

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self._writer.forsake(self._covers)
        self._on_error(SpoolError(f"{self._covers} records may not be on the disk: its sync failed ({error})"))
        self._release_synced()

    def _release_synced(self) -> None:
        group, self._syncing = self._syncing, []
        self._run_all(group)
