"""The sample-ratio test: are the odds on record the odds in force?

All other evidence divides by logged propensities. Should a bug, a stale epoch or a lost pin make the draws follow
other odds, every e-value is void. So each assignment is a bet against the logged odds p: the wealth is multiplied by
g(arm) / p(arm), g a distribution fixed before the draw. Where p is true, its mean factor is 1, even though p changes
from unit to unit; the wealth ever reaches 1/alpha with probability at most alpha (Ville).

Three gamblers share the capital: one that trusts the odds, one that tilts them by how often each arm has come up over
how often it should have, and one that does so with a short memory. The tilt over all units is, for odds that stay the
same, the Dirichlet-multinomial mixture. Each unit a little capital moves back to equal shares, so that odds which
break after a long sound stretch are still noticed.

Sources: Lindon and Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022; Herbster and Warmuth,
"Tracking the best expert", 1998.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, fsum, log
from typing import Any, Self

ALPHA = 1e-4
_PRIOR_UNITS = 10.0  # the logged odds, with the weight of so many units
_MEMORY = 2_000.0  # units that the short memory spans
_SHARED = 1e-5  # the part of the capital that moves with each unit
_LARGEST_LOG = 690.0
_TOLERANCE = 1e-6
_MOST_ARMS = 256


@dataclass(slots=True)
class Tilt:
    """What has come up against what was to be expected, by arm; O(arms) state."""

    fading: float  # what a unit counts for after one more
    seen: dict[str, float] = field(default_factory=dict)
    expected: dict[str, float] = field(default_factory=dict)

    def factor(self, arm: str, odds: Mapping[str, float]) -> float:
        """g(arm) / p(arm) for the draw that is next."""
        tilts = {name: self._tilt(name, p) for name, p in odds.items()}
        return tilts[arm] / fsum(p * tilts[name] for name, p in odds.items())

    def add(self, arm: str, odds: Mapping[str, float]) -> None:
        """Learn from a draw."""
        if self.fading < 1.0:
            self.seen = {name: value * self.fading for name, value in self.seen.items()}
            self.expected = {name: value * self.fading for name, value in self.expected.items()}
        self.seen[arm] = self.seen.get(arm, 0.0) + 1.0
        for name, p in odds.items():
            self.expected[name] = self.expected.get(name, 0.0) + p
        while len(self.expected) > _MOST_ARMS:  # arms come and go; the oldest are long gone
            gone = next(iter(self.expected))
            del self.expected[gone]
            self.seen.pop(gone, None)

    def _tilt(self, arm: str, p: float) -> float:
        prior = _PRIOR_UNITS * p
        return (self.seen.get(arm, 0.0) + prior) / (self.expected.get(arm, 0.0) + prior)


@dataclass(slots=True)
class SampleRatio:
    """Sequential test of assignments against their logged propensities; at most `alpha` of false alarms, ever."""

    alpha: float = ALPHA
    units: int = 0
    log_wealth: float = 0.0
    highest: float = 0.0  # the largest log-wealth so far
    shares: list[float] = field(default_factory=lambda: [1.0 / 3.0] * 3)
    tilts: list[Tilt] = field(default_factory=lambda: [Tilt(1.0), Tilt(1.0 - 1.0 / _MEMORY)])

    def add(self, arm: str, propensities: Mapping[str, float]) -> None:
        """One draw and the odds on record for it, in any order that does not depend on what was drawn.

        An arm that was drawn though its odds were 0 is proof by itself.

        Raises:
            ValueError: the odds are no probabilities.
        """
        if min(propensities.values(), default=0.0) < 0.0 or abs(fsum(propensities.values()) - 1.0) > _TOLERANCE:
            raise ValueError(f"propensities must be at least 0 and sum to 1, got {dict(propensities)}")
        self.units += 1
        odds = {name: p for name, p in propensities.items() if p > 0.0}
        if arm not in odds:
            self.log_wealth = self.highest = _LARGEST_LOG
        elif len(odds) > 1:
            self._bet(arm, odds)

    def _bet(self, arm: str, odds: Mapping[str, float]) -> None:
        won = [share * factor for share, factor in zip(self.shares, (1.0, *self._factors(arm, odds)), strict=True)]
        total = fsum(won)
        self.log_wealth = min(self.log_wealth + log(total), _LARGEST_LOG)
        self.highest = max(self.highest, self.log_wealth)
        self.shares = [(1.0 - _SHARED) * part / total + _SHARED / len(won) for part in won]
        for tilt in self.tilts:
            tilt.add(arm, odds)

    def _factors(self, arm: str, odds: Mapping[str, float]) -> list[float]:
        return [tilt.factor(arm, odds) for tilt in self.tilts]

    @property
    def e_value(self) -> float:
        """Evidence against "the draws follow the odds on record" (at most e^690)."""
        return exp(self.log_wealth)

    @property
    def fired(self) -> bool:
        """The evidence has reached 1/alpha at some time: no decision may rest on these odds any more."""
        return self.highest >= -log(self.alpha)

    def counts(self) -> dict[str, tuple[float, float]]:
        """By arm: how often it came up, and how often it should have."""
        tilt = self.tilts[0]
        return {arm: (tilt.seen.get(arm, 0.0), expected) for arm, expected in tilt.expected.items()}

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        tilts = [{"fading": t.fading, "seen": dict(t.seen), "expected": dict(t.expected)} for t in self.tilts]
        plain = {name: getattr(self, name) for name in ("alpha", "units", "log_wealth", "highest")}
        return {**plain, "shares": list(self.shares), "tilts": tilts}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(**{**data, "tilts": [Tilt(**tilt) for tilt in data["tilts"]]})


SETS = 8  # of arms that are remembered; workers with an old epoch still draw among the former one


@dataclass(slots=True)
class SampleRatios:
    """A test for each set of arms, which is known before the draw; the least recently used is forgotten beyond `SETS`.

    One that has fired is taken out: the next draw among its arms begins anew.
    """

    tests: dict[str, SampleRatio] = field(default_factory=dict)

    def add(self, arm: str, odds: Mapping[str, float]) -> SampleRatio | None:
        """One draw; the test that fires with it.

        Raises:
            ValueError: the odds are no probabilities.
        """
        arms = " ".join(sorted(odds))
        ratio = self.tests.pop(arms, None) or SampleRatio()
        try:
            ratio.add(arm, odds)
        finally:
            if not ratio.fired:
                self.tests[arms] = ratio  # behind the others: the least recently used comes first
                if len(self.tests) > SETS:
                    del self.tests[next(iter(self.tests))]
        return ratio if ratio.fired else None
