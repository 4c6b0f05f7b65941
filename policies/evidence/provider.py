"""Is it the provider? A rise of failures common to all arms blames none of them.

Each arm has a CUSUM of its failures against its own baseline (Page 1954; with the limit log c it raises a false alarm
about once in c outcomes at most). An outage is on where every arm that is being served has passed the limit, and over
when all are back. While it lasts learning freezes; nothing is rolled back for it. An arm whose usual level is not known
yet has no say: failures that were there from its first unit on have not risen.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import log
from typing import Any

_LIMIT = log(1e6)
_CEILING = 1.5 * _LIMIT  # so that a long outage is left as fast as a short one
_RISING = log(1e3)  # from here on a rise must not become its own baseline
_OVER = 1.0
_SERVED_S = 300.0  # an arm without an outcome for this long has no say
_MEMORY = 2000.0  # units over which the baseline forgets
_PRIOR = (0.02, 10.0)  # the baseline before any unit, and its weight in units
_LEARNING = 200.0  # units before a baseline counts as known


@dataclass(slots=True)
class _Arm:
    """One arm's CUSUM. `rate` is its baseline, `since` the time at which the present rise began."""

    rate: float = _PRIOR[0]
    weight: float = _PRIOR[1]
    score: float = 0.0
    since: float = 0.0
    seen: float = 0.0

    @property
    def known(self) -> bool:
        """Whether the baseline rests on enough units to tell a rise from it."""
        return self.weight >= _PRIOR[1] + _LEARNING

    def add(self, failed: bool, now: float) -> None:
        self.seen = now
        if self.known:
            self._watch(failed, now)
        if self.score < _RISING:
            self.weight = min(self.weight + 1.0, _MEMORY)
            self.rate += (failed - self.rate) / self.weight

    def _watch(self, failed: bool, now: float) -> None:
        usual = min(max(self.rate, 0.002), 0.6)
        outage = max(0.3, min(3.0 * usual, 0.9))
        if self.score == 0.0:
            self.since = now
        step = log(outage / usual) if failed else log((1.0 - outage) / (1.0 - usual))
        self.score = min(max(self.score + step, 0.0), _CEILING)

    def describe(self) -> dict[str, float | None]:
        return {"score": self.score, "baseline": self.rate, "rising_since": self.since if self.score else None}


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Whether an outage is on, since when (Unix seconds), and each arm's part in it (JSON-able)."""

    outage: bool
    since: float | None
    evidence: dict[str, Any]
    summary: str


class ProviderWatch:
    """Watches all arms that use one upstream. Feed it every outcome as it comes; O(1) state per arm."""

    def __init__(self) -> None:
        self._arms: dict[str, _Arm] = {}
        self._since: float | None = None

    def add(self, arm: str, failed: bool, *, now: float) -> bool:
        """One outcome of an arm, `now` in Unix seconds. True where the state has changed with it."""
        self._arms.setdefault(arm, _Arm()).add(failed, now)
        before = self._since
        served = [each for each in self._arms.values() if each.known and each.seen >= now - _SERVED_S]
        self._since = _began(served) if before is None else _goes_on(served, before)
        return (before is None) != (self._since is None)

    def forget(self, arm: str) -> bool:
        """The arm is no longer served: it has no say any more. True where that has ended an outage of it alone."""
        self._arms.pop(arm, None)
        before = self._since
        if not self._arms:
            self._since = None
        return before is not None and self._since is None

    def state(self) -> ProviderState:
        """As of the last outcome."""
        evidence = {name: arm.describe() for name, arm in self._arms.items()}
        if self._since is None:
            return ProviderState(False, None, evidence, "Failures are at their usual level, or not common to all arms.")
        summary = "Failures rose on every arm at once: it is the provider, not a version; learning is frozen."
        return ProviderState(True, self._since, evidence, summary)


def _began(served: Iterable[_Arm]) -> float | None:
    arms = list(served)
    return min(arm.since for arm in arms) if arms and all(arm.score >= _LIMIT for arm in arms) else None


def _goes_on(served: Iterable[_Arm], since: float) -> float | None:
    return since if any(arm.score >= _OVER for arm in served) else None
