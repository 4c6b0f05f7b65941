"""Coarse deadlines for everything on a loop that can time out: one timer for all, and an assignment per change.

A timer per request would cost more than the rest of a small request. A connection changes its `deadline` several times
per request, by plain assignment; once a tick the sweep looks at all of them. Ten thousand connections cost it less
than half a millisecond. A deadline never fires early, and at most two ticks late.
"""

import asyncio
import math
from typing import Final, Protocol
from weakref import WeakKeyDictionary

NEVER: Final = math.inf
TICK_S: Final = 0.1


class Timed(Protocol):
    """Something with a deadline, on the loop's clock."""

    deadline: float

    def on_deadline(self) -> None:
        """The deadline has passed: set another or leave the watch, or this is called again at the next tick."""


class Deadlines:
    """The watched things of one loop. `now` is the loop's time at the last tick, in seconds."""

    def __init__(self) -> None:
        self.now = 0.0
        self._watched: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None  # None while nothing is watched: an idle loop stays idle

    def after(self, seconds: float) -> float:
        """The deadline that lies at least `seconds` ahead."""
        if self._timer is None:
            self.now = asyncio.get_running_loop().time()
        return self.now + seconds + TICK_S

    def watch(self, timed: Timed) -> None:
        """Begin to look at its deadline."""
        self._watched.add(timed)
        if self._timer is None:
            self._schedule()

    def forget(self, timed: Timed) -> None:
        """Stop looking; forgetting twice is harmless."""
        self._watched.discard(timed)
        if not self._watched and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self.now = loop.time()
        self._timer = loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        self._schedule()
        now = self.now
        for timed in [t for t in self._watched if t.deadline <= now]:
            if timed in self._watched:
                timed.on_deadline()


_BY_LOOP: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Deadlines]] = WeakKeyDictionary()


def deadlines_of(loop: asyncio.AbstractEventLoop) -> Deadlines:
    """The one instance of a loop."""
    found = _BY_LOOP.get(loop)
    if found is None:
        found = _BY_LOOP[loop] = Deadlines()
    return found
