"""An interval that holds at all times at once: the empirical-Bernstein confidence sequence.

With probability at least 1 - alpha the (weighted) mean of the conditional expectations lies within the interval at
every sample size, so it may be shown while an experiment runs. The bounds of an observation may differ from one to the
next, as long as they are known beforehand: the deviation from the running mean is scaled by what is possible.

Source: Waudby-Smith and Ramdas 2024, theorem 2, from Fan's inequality exp(l y - psi(l) y^2) <= 1 + l y for y >= -1,
with psi(l) = -log(1 - l) - l.
"""

from dataclasses import dataclass
from math import inf, log, log1p, sqrt
from typing import NamedTuple

_BOLDEST = 0.5
_TUNED_FOR = 0.05


class Interval(NamedTuple):
    """A lower and an upper bound."""

    low: float
    high: float

    def within(self, low: float, high: float) -> "Interval":
        """What of it lies within the possible range."""
        return Interval(min(max(self.low, low), high), max(min(self.high, high), low))


@dataclass(slots=True)
class ConfidenceSequence:
    """O(1) state. Its weights are tuned for `_TUNED_FOR`, and valid for every alpha."""

    units: int = 0
    total: float = 0.0  # of the observations, for the running mean
    variance: float = 0.25  # sum of the squared scaled deviations, begun with one of 1/4
    weights: float = 0.0
    weighted: float = 0.0
    penalty: float = 0.0

    def add(self, x: float, low: float, high: float) -> None:
        """One observation within [low, high]; the bounds must be known before x is."""
        mean = min(max(self.total / self.units if self.units else 0.0, low), high)
        span = max(high - mean, mean - low)
        bet = self._bet()
        deviation = ((x - mean) / span) ** 2
        self.weights += bet / span
        self.weighted += bet / span * x
        self.penalty += deviation * (-log1p(-bet) - bet)
        self.variance += deviation
        self.total += x
        self.units += 1

    def _bet(self) -> float:
        return min(sqrt(2.0 * log(2.0 / _TUNED_FOR) / (self.variance * log(self.units + 2.0))), _BOLDEST)

    @property
    def estimate(self) -> float:
        """The weighted mean, the centre of the interval; 0 before the first observation."""
        return self.weighted / self.weights if self.units else 0.0

    def interval(self, alpha: float) -> Interval:
        """Two-sided, with coverage 1 - alpha at all times at once; infinitely wide before the first observation."""
        if not self.units:
            return Interval(-inf, inf)
        radius = (log(2.0 / alpha) + self.penalty) / self.weights
        return Interval(self.estimate - radius, self.estimate + radius)
