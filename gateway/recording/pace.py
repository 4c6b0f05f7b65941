"""Work in the background that lets the traffic go first."""

import threading
import time
from collections.abc import Callable

BUSY = 0.5  # of one core; beyond it the traffic has the machine for itself
LOOK_S = 0.1


class StoppedError(Exception):
    """The work was told to stop."""


class Pace:
    """Called after each small step of the work, in its thread: sleeps as long as the step took, and while the rest of
    this process uses more than `BUSY` of a core.

    Not a nice value: a thread of low priority that is interrupted while it holds the interpreter's lock would hold up
    the loop for as long as other processes like.

    Args:
        clock: seconds that have passed. used: seconds of CPU that the rest of the process has used.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        used: Callable[[], float] = lambda: time.process_time() - time.thread_time(),
    ) -> None:
        self._clock = clock
        self._used = used
        self._stop = threading.Event()
        self.begin()

    def begin(self) -> None:
        """The work begins now."""
        self._stepped = self._looked = self._clock()
        self._before = self._used()

    def stop(self) -> None:
        """End the work at its next step."""
        self._stop.set()

    def __call__(self) -> None:
        """A step is done.

        Raises:
            StoppedError: `stop` was called.
        """
        self._sleep(min(LOOK_S, self._clock() - self._stepped))
        if self._clock() - self._looked >= LOOK_S:
            while self._busy():
                self._sleep(LOOK_S)
        self._stepped = self._clock()

    def _busy(self) -> bool:
        """Whether the rest of the process was busy since the last look."""
        now, used = self._clock(), self._used()
        busy = used - self._before > BUSY * (now - self._looked)
        self._looked, self._before = now, used
        return busy

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StoppedError
