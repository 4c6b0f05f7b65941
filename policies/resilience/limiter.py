"""How many requests may be with an upstream at once, and how many may wait for their turn.

1. At most `limit` are admitted at a time; each must be released once.
2. At most `queue` wait, first come first served, none longer than `timeout_s`. One that leaves frees its place.
3. Beyond it the answer is no, at once. By `timeout_s` from now all who wait have been served or sent away, so that is
   when to come again.

The decisions are values: whoever holds the limiter tells the waiters and keeps the timer.
"""

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Admitted:
    """Go on."""


@dataclass(frozen=True, slots=True)
class Queued:
    """Wait for `release` or `expire` to name you, the latter from `until` on."""

    until: float


@dataclass(frozen=True, slots=True)
class Full:
    """There is no room; come again after that many seconds."""

    retry_after_s: float


ADMITTED: Final = Admitted()


class Limiter(Generic[W]):
    """One upstream's slots and queue. Waiters are told apart by hash; `now` is a clock that does not step back."""

    __slots__ = ("_limit", "_queue", "_waiting", "in_use", "timeout_s")

    def __init__(self, limit: int, queue: int, timeout_s: float) -> None:
        self._limit = limit
        self._queue = queue
        self.timeout_s = timeout_s
        self._waiting: dict[W, float] = {}  # in order of arrival -> until when
        self.in_use = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @property
    def due(self) -> float | None:
        """When the first of them has waited for long enough."""
        return next(iter(self._waiting.values()), None)

    @property
    def free(self) -> bool:
        """Whether the next one would be admitted."""
        return self.in_use < self._limit

    def admit(self, waiter: W, now: float) -> Admitted | Queued | Full:
        """A slot, a place in the queue, or neither. One who waits does not ask again."""
        if self.in_use < self._limit:
            self.in_use += 1
            return ADMITTED
        if len(self._waiting) >= self._queue:
            return Full(self.timeout_s)
        until = now + self.timeout_s
        self._waiting[waiter] = until
        return Queued(until)

    def release(self) -> W | None:
        """A slot is free: it passes to the waiter returned, if there is one."""
        if not self._waiting:
            self.in_use -= 1
            return None
        waiter = next(iter(self._waiting))
        del self._waiting[waiter]
        return waiter

    def leave(self, waiter: W) -> None:
        """It waits no longer; one who does not wait changes nothing."""
        self._waiting.pop(waiter, None)

    def expire(self, now: float) -> list[W]:
        """Those whose time in the queue is over; they have left it."""
        due = [waiter for waiter, until in self._waiting.items() if until <= now]
        for waiter in due:
            del self._waiting[waiter]
        return due
