"""After promotion: has the failure rate of what is in production risen above what it was?

There is no second arm to compare with, so this cannot tell harm from a provider's bad day. It only says when to look:
an alarm starts a fresh 50/50 comparison with the predecessor, and that decides.

The e-detector of Shiryaev-Roberts type starts one bet at every unit and adds up their wealths, M = L (M + 1) with
L = r on a failure and (1 - r p0)/(1 - p0) otherwise, for a target ratio r. While failures happen at a rate of at most
p0, whatever came before, E[L | past] <= 1, so M - n is a supermartingale and an alarm at M >= c comes after at least
c units on average. The M of several targets are averaged. Delay after a rise to r p0: about ln(c)/KL(r p0 || p0).

Source: Shin, Ramdas and Rinaldo, "E-detectors: a nonparametric framework for sequential change detection", 2024.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import exp, inf, log, log1p
from typing import Any, Self

from policies.evidence.noharm import TARGETS

YEAR_S = 365.25 * 86_400.0  # one false alarm in so long
LEAST_UNITS = 1_000.0  # between two false alarms, however little traffic a comparison had
_LEAST_RATE = 1e-4  # below it one failure in a day would be an alarm
_LARGEST_RATE = 0.9
_LARGEST_LOG = 690.0


@dataclass(slots=True)
class Detector:
    """O(1) state: the log of M for each target ratio. `baseline` is the failure rate that must not be exceeded.

    `mean_units` is c: on average at least so many units lie between two false alarms. It can't be merged across
    writers: it wants one stream of units in the order of assignment.
    """

    baseline: float
    mean_units: float
    units: int = 0
    failures: int = 0
    logs: list[float] = field(default_factory=lambda: [-inf] * len(TARGETS))

    def __post_init__(self) -> None:
        if not 0.0 <= self.baseline < 1.0 or not self.mean_units > 1.0:
            raise ValueError(f"no detector for baseline {self.baseline} and {self.mean_units} units between alarms")
        self.baseline = min(max(self.baseline, _LEAST_RATE), _LARGEST_RATE)

    def add(self, failed: bool) -> bool:
        """One unit's outcome. True where the alarm is on with it."""
        self.units += 1
        self.failures += failed
        p0 = self.baseline
        for i, target in enumerate(TARGETS):
            # Where r p0 would be no probability, the target is as bad as can be told from certain failure.
            ratio = min(target, (1.0 + p0) / (2.0 * p0))
            step = log(ratio) if failed else log((1.0 - ratio * p0) / (1.0 - p0))
            self.logs[i] = min(step + _log1p_exp(self.logs[i]), _LARGEST_LOG)
        return self.alarm

    @property
    def statistic(self) -> float:
        """M, averaged over the targets."""
        return sum(exp(value) for value in self.logs) / len(self.logs)

    @property
    def alarm(self) -> bool:
        """M has reached c. Begin anew with a fresh detector once it has been acted upon."""
        return self.statistic >= self.mean_units

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able (an empty M is None)."""
        return {**asdict(self), "logs": [None if value == -inf else value for value in self.logs]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**{**data, "logs": [-inf if value is None else value for value in data["logs"]]})


def held_to(failures: int, units: int, all_units: int, lasted_s: float) -> Detector:
    """A fresh one, held to what a version showed in a comparison: `failures` of its `units`.

    `all_units` of both arms came in `lasted_s` seconds: of so many a year, one raises a false alarm. Nothing known is a
    bound of 1: such a detector hardly ever raises one.
    """
    baseline = min(rate_bound(failures, units), 0.99)
    return Detector(baseline, max(all_units / max(lasted_s, 1.0) * YEAR_S, LEAST_UNITS))


def _log1p_exp(value: float) -> float:
    """log(1 + e^value) without overflow."""
    return value + log1p(exp(-value)) if value > 0.0 else log1p(exp(value))


def rate_bound(failures: int, units: int, alpha: float = 0.05) -> float:
    """An upper bound of a failure rate, too low with probability at most alpha: the baseline to hold a detector to.

    Chernoff: the largest p with units KL(failures/units || p) <= log(1/alpha). 1 where there are no units.
    """
    if units <= 0:
        return 1.0
    found, needed = failures / units, log(1.0 / alpha) / units
    low, high = found, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2.0
        low, high = (middle, high) if _divergence(found, middle) <= needed else (low, middle)
    return high


def _divergence(p: float, q: float) -> float:
    hits = p * log(p / q) if p > 0.0 else 0.0
    misses = (1.0 - p) * log((1.0 - p) / (1.0 - q)) if p < 1.0 else 0.0
    return hits + misses
