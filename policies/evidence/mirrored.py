"""A candidate in the shadow beside production: paired tests of quality, latency and cost, and what they come to.

Differences are candidate minus production on the same request, oriented so that more is better. The candidate passes
when all three are shown not to be worse than production by more than their margins, over as many hours of the day as
the policy asks for; it fails as soon as one is shown to be worse; the horizon ends what neither shows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from policies.evidence.shadow import PairedTest
from policies.outcome import OUTSIDE

ALPHA = 0.05
_DIGITS = 6  # that measured values are stored with


@dataclass(frozen=True, slots=True)
class MirrorTerms:
    """By what the shadow decides: margins in shares of the budgets, and the policy's settings of the shadow."""

    quality: float
    latency: float
    cost: float
    p95_ms: float
    usd_per_request: float
    min_pairs: int
    min_hours: int
    horizon_s: float

    @property
    def margins(self) -> dict[str, float]:
        """By metric."""
        return {"quality": self.quality, "latency": self.latency, "cost": self.cost}


class Answered(NamedTuple):
    """What one answer was worth, and what it took."""

    failure: str | None
    reward: float | None
    latency_ms: float
    cost_usd: float


class Mirrored:
    """The running tests of one candidate."""

    def __init__(self, terms: MirrorTerms) -> None:
        self.terms = terms
        self.tests = {name: PairedTest(margin) for name, margin in terms.margins.items()}
        self.hours: set[int] = set()  # of the day (UTC) that pairs counted in
        self.excluded = 0  # pairs that say nothing: a hang-up, a rate limit, production's outcome missing

    @property
    def pairs(self) -> int:
        """Pairs that counted."""
        return self.tests["quality"].n

    def add(self, production: Answered | None, candidate: Answered, at: float) -> None:
        """One pair; None for production where its outcome is missing."""
        if production is None or production.failure in OUTSIDE or candidate.failure in OUTSIDE:
            self.excluded += 1
            return
        self.hours.add(int(at // 3600.0) % 24)
        for name, difference in self._differences(production, candidate).items():
            self.tests[name].add(difference)

    def _differences(self, production: Answered, candidate: Answered) -> dict[str, float]:
        """Quality, latency and cost in [-1, 1] as shares of the policy's budgets."""
        both = production, candidate
        worth = [one.reward if one.reward is not None else 0.0 for one in both]
        slow = [min(one.latency_ms / self.terms.p95_ms, 1.0) for one in both]
        dear = [min(one.cost_usd / self.terms.usd_per_request, 1.0) for one in both]
        return {"quality": worth[1] - worth[0], "latency": slow[0] - slow[1], "cost": dear[0] - dear[1]}

    def measured(self) -> dict[str, Any]:
        """As it is stored and shown."""
        found: dict[str, Any] = {"pairs": self.pairs, "excluded": self.excluded, "hours": sorted(self.hours)}
        for name, test in self.tests.items():
            span = test.interval(ALPHA)
            values = {"e_value": test.e_value, "margin": test.delta, "estimate": test.estimate}
            found[name] = {key: round(value, _DIGITS) for key, value in {**values, **span._asdict()}.items()}
        return found

    def worse(self) -> list[str]:
        """The metrics shown to be worse by more than their margins."""
        return [name for name, test in self.tests.items() if test.interval(ALPHA).high < -test.delta]

    def verdict(self, lasted_s: float) -> Literal["pass", "fail", "expire", ""]:
        """What it comes to after that time; nothing while it goes on."""
        if self.pairs >= self.terms.min_pairs:
            if self.worse():
                return "fail"
            covered = len(self.hours) >= self.terms.min_hours
            if covered and all(test.e_value >= 1 / ALPHA for test in self.tests.values()):
                return "pass"
        return "expire" if lasted_s >= self.terms.horizon_s else ""


def terms_of(policy: Mapping[str, Any]) -> MirrorTerms:
    """From a policy's settings, or a note of them.

    Raises:
        KeyError: a parameter is missing.
    """
    margins = policy["promotion"]["non_inferiority"]
    return MirrorTerms(
        **{name: margins[name] for name in ("quality", "latency", "cost")},
        **{name: policy["budgets"][name] for name in ("p95_ms", "usd_per_request")},
        **{name: policy["shadow"][name] for name in ("min_pairs", "min_hours", "horizon_s")},
    )
