"""Group commit: one write for all frames of a loop tick, then what waited for it."""

import asyncio
from collections.abc import Callable

from gateway.recording.errors import SpoolError
from gateway.recording.writer import SpoolWriter

Then = Callable[[], None]


class GroupCommit:
    """Collects frames and callbacks, flushes once per tick of the loop, and runs the callbacks in order.

    It fails open: callbacks run even where the flush failed (`failures` counts those flushes, `on_error` hears of
    each). While the disk fails, flushes are `retry_s` seconds apart, so that nobody waits for hopeless writes.
    """

    def __init__(
        self,
        writer: SpoolWriter,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[SpoolError], None],
        *,
        retry_s: float = 1.0,
    ) -> None:
        self.failures = 0
        self._writer = writer
        self._loop = loop
        self._on_error = on_error
        self._retry_s = retry_s
        self._then: list[Then] = []
        self._scheduled = False
        self._retry: asyncio.TimerHandle | None = None

    def append(self, payload: bytes, then: Then | None = None, *, durable: bool = True) -> None:  # noqa: ARG002
        """Record one frame in this tick's write; `then` runs when it is written (or can't be).

        `durable` matters to `DurableCommit` only: whether `then` also waits for the disk.
        """
        self._writer.append(payload)
        if then is not None:
            self._then.append(then)
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._commit)

    def close(self) -> None:
        """Commit what waits, now, and stop retrying; the writer stays open."""
        self._stop_retrying()
        self._commit()
        self._stop_retrying()

    def _commit(self) -> None:
        self._scheduled = False
        if self._retry is None:
            self._flush()
        callbacks, self._then = self._then, []
        self._run_all(callbacks)

    def _flush(self) -> None:
        try:
            self._writer.flush()
        except SpoolError as error:
            self.failures += 1
            self._retry = self._loop.call_later(self._retry_s, self._again)
            self._on_error(error)

    def _stop_retrying(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _again(self) -> None:
        self._retry = None
        self._flush()

    def _run_all(self, callbacks: list[Then]) -> None:
        for then in callbacks:
            try:
                then()
            except Exception as error:  # noqa: BLE001  one answer's fault must not hold back the others
                told = {"message": "a callback of the group commit failed", "exception": error}
                self._loop.call_exception_handler(told)
