"""The wall clock of a worker, held still where the system's steps back."""

import time
from collections.abc import Callable


class Clock:
    """Unix seconds that never fall: evidence consumes times in order."""

    __slots__ = ("_last", "_read")

    def __init__(self, read: Callable[[], float] = time.time) -> None:
        self._read = read
        self._last = 0.0

    def __call__(self) -> float:
        """The time now."""
        now = self._read()
        if now < self._last:
            return self._last
        self._last = now
        return now
