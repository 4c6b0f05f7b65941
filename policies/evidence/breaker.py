"""When a candidate is taken back: the literal rule and the evidence together, and what can be seen at all.

* TRIP: the literal rule (failure ratio over the window above the limit) and E(rho=1) >= 1/alpha.
* SEVERE: E(rho=2) >= 1/alpha, "twice production's failures" is proven.
* SUSPECT: the literal rule with E(rho=1) >= 5, until E(rho=1) < 2; or, labelled heuristic, a run of failures that
  production does not share. It lowers the share to the floor, it takes nothing back.

The literal rule alone trips on identical candidates about every other time at low volume; the evidence alone never
errs with more than probability alpha, so the "and" only makes a trip rarer.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, inf, log
from typing import Literal

from policies.evidence.noharm import Counts

Verdict = Literal["CLEAR", "SUSPECT", "TRIP", "SEVERE"]

SUSPECT_FROM = 5.0
SUSPECT_UNTIL = 2.0
FINAL: tuple[Verdict, ...] = ("TRIP", "SEVERE")

_RUN_CHANCE = 1e-6  # how unlikely a run of failures must be at five times production's rate
_LEAST_CONCURRENT = 3  # production's units during a run, below which nobody knows how production fares


@dataclass(frozen=True, slots=True)
class Reading:
    """What one view of the evidence says: a worker's own sums, or the fleet's."""

    e_worse: float  # E(rho=1), channels combined
    e_twice: float  # E(rho=2), channels combined
    exceeded: bool  # the literal rule
    threshold: float  # 1/alpha for the fleet, N/alpha for one of N writers alone


def judge(previous: Verdict, readings: Iterable[Reading], *, runaway: bool) -> Verdict:
    """The verdict after `previous`: final ones stay, SUSPECT has hysteresis."""
    readings = list(readings)
    if previous == "SEVERE" or any(r.e_twice >= r.threshold for r in readings):
        return "SEVERE"
    if previous == "TRIP" or any(r.exceeded and r.e_worse >= r.threshold for r in readings):
        return "TRIP"
    if runaway or any(r.exceeded and r.e_worse >= SUSPECT_FROM for r in readings):
        return "SUSPECT"
    if previous == "SUSPECT" and any(r.e_worse >= SUSPECT_UNTIL for r in readings):
        return "SUSPECT"
    return "CLEAR"


def literal_ratio(window: Counts) -> float:
    """The candidate's failure rate over production's: 0 without a failure of its own, infinite where only it fails."""
    challenger, production = window.rate(True), window.rate(False)
    if challenger == 0.0:
        return 0.0
    return challenger / production if production else inf


class Run:
    """The candidate's consecutive failures, and how production fared while they happened."""

    __slots__ = ("_concurrent", "length")

    def __init__(self) -> None:
        self.length = 0
        self._concurrent = Counts()

    def add(self, challenger: bool, failed: bool) -> None:
        """One unit's outcome, in the order of assignment."""
        if not challenger:
            if self.length:
                self._concurrent.units[0] += 1
                self._concurrent.failures[0] += failed
        elif failed:
            self.length += 1
        elif self.length:
            self.length = 0
            self._concurrent = Counts()

    def runaway(self, baseline: Counts) -> bool:
        """The heuristic lane: too long a run for chance, while production's failures are not up.

        `baseline` holds the window's counts; production's rate in it is smoothed by half a failure. A long outage is
        most of the window itself: where every other unit of production fails, nothing is the candidate's alone.
        """
        p0 = (baseline.failures[0] + 0.5) / (baseline.units[0] + 1.0)
        if self.length < run_limit(p0):
            return False
        units, failures = self._concurrent.units[0], self._concurrent.failures[0]
        shared = failures >= 2 and (failures > 2.0 * p0 * units or 2 * failures >= units)
        return units >= _LEAST_CONCURRENT and not shared


def run_limit(p0: float) -> int:
    """How many consecutive failures are too many where production fails with probability `p0` > 0."""
    return ceil(log(_RUN_CHANCE) / log(min(5.0 * p0, 0.7)))


def detectable_ratio(rate_per_s: float, q: float, p0: float, window_s: float, alpha: float) -> float | None:
    """The smallest failure ratio that E(rho=1) is expected to prove within the window; None where none is.

    `rate_per_s` counts the units of both arms, `q` is the candidate's share of them, `p0` production's failure rate.
    At ratio r the best bet grows by p0 (q r ln r - s ln s) a unit, s = r q + 1 - q, and needs ln(1/alpha) in all. For
    small q that is the Poisson limit of "ln(1/alpha)/KL candidate requests".
    """
    if p0 <= 0.0 or not 0.0 < q < 1.0:
        return None
    needed = log(1.0 / alpha) / (rate_per_s * window_s) if rate_per_s > 0.0 else inf
    low, high = 1.0, 1.0 / p0
    if _growth(high, q, p0) < needed:
        return None
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _growth(middle, q, p0) < needed else (low, middle)
    return high


def _growth(ratio: float, q: float, p0: float) -> float:
    mean = ratio * q + 1.0 - q
    return p0 * (q * ratio * log(ratio) - mean * log(mean))
