"""Is it the provider? A rise of failures common to all arms blames none of them.

Each arm has a CUSUM of its failures against its own baseline (Page 1954; with the limit log c it raises a false alarm
at most about once in c outcomes). An outage is on where one arm's sum has passed the limit and no arm that was served
meanwhile stays behind. While it lasts learning freezes; nothing is rolled back for it.
"""

from dataclasses import dataclass, field
from math import log
from typing import Any

_LIMIT = log(1e6)  # of the arm that leads
_FOLLOWS = log(1e3)  # of every other arm with enough traffic
_CEILING = 1.5 * _LIMIT  # so that a long outage is left as fast as a short one
_OVER = 1.0
_CONCURRENT = 5  # units since the rise began, below which an arm has no say
_MEMORY = 2000.0  # units over which the baseline forgets
_PRIOR = (0.02, 100.0)  # the baseline before any unit, and its weight in units


@dataclass(slots=True)
class _Arm:
    """One arm's CUSUM. `rate` is its baseline, `since` the time at which the present rise began."""

    rate: float = _PRIOR[0]
    weight: float = _PRIOR[1]
    score: float = 0.0
    since: float = 0.0
    served: list[float] = field(default_factory=list)  # times of its last few outcomes, oldest first

    def add(self, failed: bool, now: float) -> None:
        usual = min(max(self.rate, 0.002), 0.6)
        outage = max(0.3, min(3.0 * usual, 0.9))
        if self.score == 0.0:
            self.since = now
        step = log(outage / usual) if failed else log((1.0 - outage) / (1.0 - usual))
        self.score = min(max(self.score + step, 0.0), _CEILING)
        self.served = [*self.served[1 - _CONCURRENT :], now]
        if self.score < _FOLLOWS:  # a rise must not become its own baseline
            self.weight = min(self.weight + 1.0, _MEMORY)
            self.rate += (failed - self.rate) / self.weight

    def served_since(self, start: float) -> bool:
        return len(self.served) == _CONCURRENT and self.served[0] >= start


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
        """One outcome of an arm. True where the state has changed with it."""
        self._arms.setdefault(arm, _Arm()).add(failed, now)
        was = self._since
        if was is None:
            self._since = self._began()
        elif all(a.score < _OVER for a in self._arms.values()):
            self._since = None
        return (was is None) != (self._since is None)

    def forget(self, arm: str) -> None:
        """The arm is no longer served: it has no say any more."""
        self._arms.pop(arm, None)

    def _began(self) -> float | None:
        leader = max(self._arms.values(), key=lambda arm: arm.score)
        if leader.score < _LIMIT:
            return None
        has_say = [arm for arm in self._arms.values() if arm is leader or arm.served_since(leader.since)]
        return leader.since if all(arm.score >= _FOLLOWS for arm in has_say) else None

    def state(self) -> ProviderState:
        """The present state."""
        evidence = {
            name: {"score": arm.score, "baseline": arm.rate, "rising_since": arm.since if arm.score else None}
            for name, arm in self._arms.items()
        }
        if self._since is None:
            return ProviderState(False, None, evidence, "Failures are at their usual level, or not common to all arms.")
        summary = (
            f"Failures rose on all {len(self._arms)} arms at once: the provider, not a version; learning is frozen."
        )
        return ProviderState(True, self._since, evidence, summary)
