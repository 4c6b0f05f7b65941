"""Harm that comes late: part of the capital waits, and begins to bet anew every `PERIOD_S` seconds.

A bet that ran through a long harmless stretch has lost nearly all of its wealth, and a candidate that turns bad then
would have to win that back first. So nine tenths of the capital bet from the first unit on, and the rest is spread
over the starts that follow: the k-th gets a part in proportion to 1/k. Weights that are fixed beforehand and sum to 1
keep the whole a fair game (the mixture of e-processes over their starting times is one).

Starts lie on a grid of assignment time that all writers share. A start's wealth is then the total divided by what it
was before the start, and in logs both are sums over units: totals stay additive across writers. Sharing capital
between bets from unit to unit ("fixed share") would not be, as mixing is no sum.

State stays bounded: a start whose index is a multiple of 2^j is kept for `_BREADTH` 2^j periods. Leaving a start out
can only lower the wealth, so whatever is missing costs power and never validity.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import exp, fsum, log
from typing import Any, Final, Self

from policies.evidence.noharm import BETS, Stakes, Wealth

PERIOD_S: Final = 300  # a multiple of the ledger's buckets
AT_ONCE: Final = 0.9  # of the capital: what bets from the first unit on
_MOST: Final = 16_384  # starts that there is capital for, eight weeks of them
_BREADTH: Final = 4
_HARMONIC: Final = list(accumulate((1.0 / k for k in range(1, _MOST + 1)), initial=0.0))


def weight(k: int) -> float:
    """The capital of the k-th start, k from 1; 0 beyond the last."""
    return (1.0 - AT_ONCE) / (k * _HARMONIC[-1]) if k <= _MOST else 0.0


def reserve(k: int) -> float:
    """The capital that waits for the starts after the k-th."""
    return (1.0 - AT_ONCE) * (1.0 - _HARMONIC[min(k, _MOST)] / _HARMONIC[-1])


def kept(first: int, newest: int) -> list[int]:
    """The starts after period `first` that are still kept in period `newest`, in order: O(log) of them."""
    found: set[int] = set()
    step = 1
    while step <= max(newest - first, 0):
        oldest = max(first, newest - _BREADTH * step)
        found.update(range((oldest // step + 1) * step, newest + 1, step))
        step *= 2
    return sorted(found)


class Starts:
    """One writer's log-wealths before each start, in one channel. `first` and `newest` are periods with units."""

    __slots__ = ("_stakes", "before", "first", "newest")

    def __init__(self) -> None:
        self.first: int | None = None
        self.newest = 0
        self.before: dict[int, Sequence[float]] = {}
        self._stakes: Stakes | None = None

    def turn(self, at: int, logs: Sequence[float]) -> None:
        """Units from the time `at` (Unix seconds, not falling) on follow; `logs` are the log-wealths before them."""
        period = at // PERIOD_S
        if self.first is None:
            self.first = self.newest = period
        if period == self.newest:
            return
        self.before = {
            start: self.before[start] if start <= self.newest else tuple(logs) for start in kept(self.first, period)
        }
        self.newest = period
        self._stakes = None

    def stakes(self) -> Stakes:
        """How this writer's own capital is staked."""
        if self._stakes is None:
            self._stakes = _stakes(self.first, self.newest, self.before)
        return self._stakes

    def find(self, start: int, total: Sequence[float]) -> Sequence[float] | None:
        """The log-wealths before a start, `total` being the present ones; None where they are not kept."""
        if self.first is None or start <= self.first:
            return (0.0,) * len(BETS)
        return total if start > self.newest else self.before.get(start)

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        before = {str(start): list(logs) for start, logs in self.before.items()}
        return {"first": self.first, "newest": self.newest, "before": before}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        starts = cls()
        starts.first, starts.newest = data["first"], data["newest"]
        starts.before = {int(start): logs for start, logs in data["before"].items()}
        return starts


@dataclass(frozen=True, slots=True)
class Part:
    """One writer's part of a sum: its starts, and its total up to the watermark."""

    starts: Starts
    total: Wealth


def combined(parts: Sequence[Part], watermark: float) -> Stakes:
    """How the capital of the writers' sum is staked at the watermark (Unix seconds): starts known to all of them."""
    firsts = [part.starts.first for part in parts if part.starts.first is not None]
    if not firsts:
        return _stakes(None, 0, {})
    first, newest = min(firsts), max(int(watermark) // PERIOD_S, min(firsts))
    before: dict[int, Sequence[float]] = {}
    for start in kept(first, newest):
        found = [part.starts.find(start, part.total.logs) for part in parts]
        known = [logs for logs in found if logs is not None]
        if len(known) == len(found):
            before[start] = [fsum(column) for column in zip(*known, strict=True)]
    return _stakes(first, newest, before)


def _stakes(first: int | None, newest: int, before: Mapping[int, Sequence[float]]) -> Stakes:
    if first is None:
        return Stakes((log(AT_ONCE),) * len(BETS), reserve(0))
    begun: list[tuple[float, Sequence[float]]] = [(log(AT_ONCE), (0.0,) * len(BETS))]
    begun += [(log(weight(start - first)), logs) for start, logs in before.items() if weight(start - first)]
    logs = tuple(_log_sum([share - before[bet] for share, before in begun]) for bet in range(len(BETS)))
    return Stakes(logs, reserve(newest - first))


def _log_sum(logs: Sequence[float]) -> float:
    largest = max(logs)
    return largest + log(sum(exp(value - largest) for value in logs))
