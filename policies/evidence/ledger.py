"""Sums of one channel by assignment time: what writers exchange, and what the window is counted from.

Buckets are `BUCKET_S` wide. Units arrive in the order of assignment, so only the newest bucket ever changes; those
that are too old to matter for the window are folded into one sum: the state stays bounded however long an experiment
lasts.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from policies.evidence.noharm import Counts, Wealth
from policies.evidence.starts import Starts

BUCKET_S: Final = 5
FOLDED: Final = -1  # the key of the folded sum


class Ledger:
    """One channel's own sums. `window_s` is the span of the literal rule, `keep_s` the age at which buckets fold."""

    __slots__ = (
        "_closed", "_keep_s", "_open", "_recent", "_window", "_window_s", "buckets", "folded", "starts", "through",
    )  # fmt: skip

    def __init__(self, *, window_s: float, keep_s: float) -> None:
        self._window_s = window_s
        self._keep_s = max(keep_s, window_s + BUCKET_S)  # a bucket leaves the window before it folds
        self.buckets: dict[int, Wealth] = {}  # by start, oldest first
        self.folded = Wealth()
        self.through = FOLDED  # the last bucket that was folded
        self.starts = Starts()
        self._open = FOLDED
        self._closed = Wealth()  # every bucket but the open one, folded ones included
        self._window: deque[int] = deque()  # closed buckets within the window, oldest first
        self._recent = Counts()  # their counts

    def add(self, at: float, challenger: bool, q: float, failed: bool) -> None:
        """One unit, assigned at `at` (Unix seconds, not falling from one call to the next)."""
        bucket = int(at) // BUCKET_S * BUCKET_S
        if bucket != self._open:
            self._turn(bucket)
        self.buckets[bucket].add(challenger, q, failed)

    def total(self) -> Wealth:
        """Sums over every unit so far."""
        total = Wealth()
        total.merge(self._closed)
        if self._open in self.buckets:
            total.merge(self.buckets[self._open])
        return total

    def window(self, now: float) -> Counts:
        """Counts of the buckets that touch the last `window_s` seconds before `now`, which must not fall."""
        self._slide(now)
        counts = Counts()
        counts.shift(self._recent)
        if self._open in self.buckets and self._open + BUCKET_S > now - self._window_s:
            counts.shift(self.buckets[self._open].counts)
        return counts

    def since(self, at: float) -> Iterator[tuple[int, Wealth]]:
        """The buckets, newest first, that hold units assigned at or after `at`."""
        for bucket in reversed(self.buckets):
            if bucket + BUCKET_S <= at:
                return
            yield bucket, self.buckets[bucket]

    def _turn(self, bucket: int) -> None:
        if self._open in self.buckets:
            closed = self.buckets[self._open]
            self._closed.merge(closed)
            self._recent.shift(closed.counts)
            self._window.append(self._open)
        self.starts.turn(bucket, self._closed.logs)
        self._open = bucket
        self.buckets[bucket] = Wealth()
        self._slide(bucket)
        self._fold(bucket)

    def _slide(self, now: float) -> None:
        while self._window and self._window[0] + BUCKET_S <= now - self._window_s:
            self._recent.shift(self.buckets[self._window.popleft()].counts, -1)

    def _fold(self, newest: int) -> None:
        while (oldest := next(iter(self.buckets))) + self._keep_s < newest:
            self.folded.merge(self.buckets.pop(oldest))
            self.through = oldest
