"""The no-harm test: does the candidate fail more than rho times as often as production, at the same time?

For one unit let A be 1 on the candidate and 0 on production, q the candidate's propensity among these two, F whether
it failed. The increment

    X = A F / q - rho (1 - A) F / (1 - q),    bet 0 <= lambda < (1 - q) / rho,    wealth = product of (1 + lambda X)

has mean factor 1 + lambda (f1 - rho f0) <= 1 exactly where the candidate fails at most rho times as often. No baseline
is estimated, so whatever hits both arms alike (drift, outages) cancels. By Ville's inequality the wealth ever reaches
1/alpha with probability at most alpha under that hypothesis, however often one looks.

For a target ratio r > rho the bet of fastest growth is lambda = (r - rho)/rho * q(1 - q) / (r q + 1 - q); the wealths
of several targets are averaged, which is again a fair game. A success changes nothing: only failures cost arithmetic.

Sources: Ville 1939; Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", 2024.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import exp, fsum, log
from operator import add
from typing import Any, Final, Literal, Self

Rho = Literal[1, 2]
RHOS: Final[tuple[Rho, ...]] = (1, 2)
TARGETS: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
BETS: Final = tuple((rho, target) for rho in RHOS for target in TARGETS if target > rho)
_SPAN: Final = {
    rho: (min(span), max(span) + 1) for rho in RHOS for span in [[i for i, bet in enumerate(BETS) if bet[0] == rho]]
}
_LARGEST_LOG: Final = 690.0  # e^690 is the last round power that a JSON number holds comfortably


@lru_cache(maxsize=4096)
def log_factors(q: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What a failure does to each bet's log-wealth: on production, on the candidate (in that order), for propensity q.

    With the best bet, 1 - lambda rho/(1 - q) = (rho q + 1 - q)/(r q + 1 - q) and 1 + lambda/q = r/rho times that.

    Raises:
        ValueError: q is not strictly between 0 and 1.
    """
    if not 0.0 < q < 1.0:
        raise ValueError(f"the candidate's propensity must lie strictly between 0 and 1, got {q}")
    production = tuple(log((rho * q + 1.0 - q) / (target * q + 1.0 - q)) for rho, target in BETS)
    return production, tuple(log(target / rho) + base for (rho, target), base in zip(BETS, production, strict=True))


class Counts:
    """Units and failures, each as [production's, candidate's]: a bool indexes them."""

    __slots__ = ("failures", "units")

    def __init__(self) -> None:
        self.units = [0, 0]
        self.failures = [0, 0]

    def shift(self, other: "Counts", sign: int = 1) -> None:
        """Add `other` in, or take it out again with sign -1."""
        for arm in (0, 1):
            self.units[arm] += sign * other.units[arm]
            self.failures[arm] += sign * other.failures[arm]

    def rate(self, challenger: bool) -> float:
        """The share of units that failed; 0 where there were none."""
        return self.failures[challenger] / self.units[challenger] if self.units[challenger] else 0.0

    def to_dict(self) -> dict[str, list[int]]:
        """`{"production": [units, failures], "challenger": [units, failures]}`."""
        return {name: [self.units[arm], self.failures[arm]] for arm, name in enumerate(("production", "challenger"))}


@dataclass(frozen=True, slots=True)
class Stakes:
    """When the capital was staked (see `starts`): by bet the log of what it comes to per unit of the total's wealth.

    `reserve` is capital that is not staked yet.
    """

    logs: tuple[float, ...]
    reserve: float


ALL_AT_ONCE: Final = Stakes((0.0,) * len(BETS), 0.0)


class Wealth:
    """Log-wealth of every bet, and the counts behind it: O(1) state, additive over disjoint sets of units."""

    __slots__ = ("counts", "logs")

    def __init__(self) -> None:
        self.counts = Counts()
        self.logs = [0.0] * len(BETS)

    def add(self, challenger: bool, q: float, failed: bool) -> None:
        """One unit's settled outcome; q is the candidate's propensity at its assignment, in (0, 1)."""
        counts = self.counts
        counts.units[challenger] += 1
        if failed:
            counts.failures[challenger] += 1
            self.logs = list(map(add, self.logs, log_factors(q)[challenger]))

    def merge(self, other: "Wealth") -> None:
        """Add the sums of other units in."""
        self.counts.shift(other.counts)
        self.logs = list(map(add, self.logs, other.logs))

    @classmethod
    def of(cls, parts: Iterable["Wealth"]) -> Self:
        """The sums of disjoint sets of units, whatever the order of the parts: exactly added, then rounded once."""
        wealth, told = cls(), list(parts)
        for part in told:
            wealth.counts.shift(part.counts)
        wealth.logs = [fsum(column) for column in zip(*(part.logs for part in told), strict=True)] or wealth.logs
        return wealth

    def e_value(self, rho: Rho, stakes: Stakes = ALL_AT_ONCE) -> float:
        """Wealth against "at most rho times production's failures", averaged over the targets (at most e^690)."""
        first, end = _SPAN[rho]
        total = 0.0
        for bet in range(first, end):
            total += exp(min(self.logs[bet] + stakes.logs[bet], _LARGEST_LOG))
        return stakes.reserve + total / (end - first)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able sums: the counts by arm, and log-wealths by rho in the order of `TARGETS`."""
        logs = {str(rho): self.logs[first:end] for rho, (first, end) in _SPAN.items()}
        return {**self.counts.to_dict(), "log_wealth": logs}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; an empty mapping gives an empty wealth."""
        wealth = cls()
        if data:
            for arm, name in enumerate(("production", "challenger")):
                wealth.counts.units[arm], wealth.counts.failures[arm] = data[name]
            wealth.logs = [value for rho in RHOS for value in data["log_wealth"][str(rho)]]
        return wealth
