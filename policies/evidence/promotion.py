"""The promotion test: better on reward by `min_gain`, and not worse on quality, failures, latency and cost.

Five e-values, and the smallest of them is the evidence for "all five hold": it is an e-value for each of the ways in
which the claim can be wrong. It is held against `elond.threshold`. Reward is quality less costs, so that without a test
of its own quality could be sold for savings.
"""

from collections.abc import Mapping
from typing import Any, Self

from policies.evidence.comparison import Comparison
from policies.evidence.interval import Interval

# By metric: whether more of it is better.
_SIGNS = {"reward": 1, "quality": 1, "failure": -1, "latency": -1, "cost": -1}


class PromotionTest:
    """O(1) state. Margins are shares of the unit interval: what a non-inferior candidate may be worse by.

    Without a margin of `quality` it is not compared: so were the tests that are on record from before it was.
    """

    def __init__(
        self, *, min_gain: float, failure: float, latency: float, cost: float, quality: float | None = None
    ) -> None:
        deltas = {"reward": min_gain} | ({} if quality is None else {"quality": -quality})
        deltas |= {"failure": -failure, "latency": -latency, "cost": -cost}
        self._comparisons = {name: Comparison(delta) for name, delta in deltas.items()}
        self.units = [0, 0]  # production's, candidate's

    def add(
        self,
        challenger: bool,
        q: float,
        *,
        reward: float,
        failed: bool,
        latency_share: float,
        cost_share: float,
        quality: float = 0.0,
        intent: str = "",
    ) -> None:
        """One unit, in the order of assignment, its reward frozen at the deadline.

        `q` in (0, 1) is the candidate's propensity (among candidate and control) at the unit's assignment, `reward`
        and `quality` in [0, 1], `latency_share` and `cost_share` shares of the policy's fixed budgets; anything above 1
        counts as 1.
        """
        self.units[challenger] += 1
        worse = {"failure": float(failed), "latency": latency_share, "cost": cost_share}
        better = {"reward": reward, "quality": quality} | {name: 1.0 - value for name, value in worse.items()}
        for name, comparison in self._comparisons.items():
            comparison.add(challenger, q, min(max(better[name], 0.0), 1.0), intent)

    @property
    def e_values(self) -> dict[str, float]:
        """Evidence against "no better than allowed", by metric."""
        return {name: comparison.e_value for name, comparison in self._comparisons.items()}

    @property
    def e_value(self) -> float:
        """The smallest of them."""
        return min(self.e_values.values())

    @property
    def n(self) -> int:
        """Units so far, both arms together."""
        return sum(self.units)

    def estimates(self) -> dict[str, float]:
        """Candidate minus production by metric, each in its own direction (more failures are above 0)."""
        return {name: _SIGNS[name] * comparison.estimate for name, comparison in self._comparisons.items()}

    def intervals(self, alpha: float = 0.05) -> dict[str, Interval]:
        """Of these differences, each with coverage 1 - alpha at all times at once; within [-1, 1]."""
        intervals = {name: comparison.interval(alpha) for name, comparison in self._comparisons.items()}
        return {name: span if _SIGNS[name] > 0 else Interval(-span.high, -span.low) for name, span in intervals.items()}

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        comparisons = {name: comparison.to_dict() for name, comparison in self._comparisons.items()}
        return {"units": list(self.units), "comparisons": comparisons}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        test = cls(min_gain=0.0, failure=0.0, latency=0.0, cost=0.0)
        test.units = list(data["units"])
        found = data["comparisons"]
        test._comparisons = {name: Comparison.from_dict(found[name]) for name in _SIGNS if name in found}
        return test
