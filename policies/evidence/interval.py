"""An interval that holds at all times at once: the empirical-Bernstein confidence sequence.

With probability at least 1 - alpha the (weighted) mean of the conditional expectations lies within the interval at
every sample size, so it may be shown while an experiment runs. The bounds of an observation may differ from one to the
next, as long as they are known beforehand: the deviation from the running mean is scaled by what is possible.

Source: Waudby-Smith and Ramdas 2024, theorem 2, from Fan's inequality exp(l y - psi(l) y^2) <= 1 + l y for y >= -1,
with psi(l) = -log(1 - l) - l.
"""

from dataclasses import dataclass
from math import log, log1p, sqrt
from typing import NamedTuple

_BOLDEST = 0.5


class Interval(NamedTuple):
    """An estimate with its lower and upper bound."""

    low: float
    estimate: float
    high: float


@dataclass(slots=True)
class ConfidenceSequence:
    """O(1) state; `alpha` is the probability with which the truth ever lies outside."""

    alpha: float = 0.05
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
        return min(sqrt(2.0 * log(2.0 / self.alpha) / (self.variance * log(self.units + 2.0))), _BOLDEST)

    def interval(self) -> Interval | None:
        """Two-sided; None before the first observation."""
        if not self.units:
            return None
        estimate = self.weighted / self.weights
        radius = (log(2.0 / self.alpha) + self.penalty) / self.weights
        return Interval(estimate - radius, estimate, estimate + radius)
