"""The promotion test, run again over all writers' units in the order of assignment, as they stood when due."""

from collections.abc import Iterable, Mapping
from typing import Any

from policies.evidence import PromotionTest
from policies.factorial import Sides, propensity
from policies.fitness import Gates, Weights, quality, reward_value
from policies.outcome import OUTSIDE
from policies.registry.values import Candidate, Experiment
from policies.verification.report import Difference, first_difference
from policies.verification.terms import Terms

ALPHA = 0.05  # of the intervals on record
_DIGITS = 6  # that measured values are stored with


class Unit:
    """A unit's first request in a comparison, and what is known of its answer. Later word of it is added in turn."""

    __slots__ = ("arm", "arms", "at", "id", "intent", "outcome", "outcome_at", "scores")

    def __init__(self, frame: Mapping[str, Any]) -> None:
        self.id: str = frame["id"]
        self.at: float = frame["at"]
        self.arm: str = frame["arm"]
        self.arms: list[tuple[str, float]] = frame["arms"]
        self.intent: str = frame["intent"]
        self.outcome: tuple[str | None, Mapping[str, float], float, int, int, float] | None = None
        self.outcome_at = 0.0
        self.scores: list[tuple[float, float]] = []

    def settled(self, frame: Mapping[str, Any]) -> None:
        """Its outcome; the first one counts."""
        if self.outcome is None:
            self.outcome_at = frame["at"]
            self.outcome = (
                *(frame["failure"], frame["validators"], frame["last_byte_ms"]),
                *(frame["output_tokens"], frame["repairs"], frame["cost_usd"]),
            )

    def failed(self, deadline_s: float) -> bool:
        """Whether its answer was none by then, or one that failed."""
        if self.outcome is None or self.outcome_at > self.at + deadline_s:
            return True
        return self.outcome[0] is not None and self.outcome[0] not in OUTSIDE

    def score(self, until: float) -> float | None:
        """What the user last said up to then."""
        said = [(at, score) for at, score in self.scores if at <= until]
        return max(said)[1] if said else None


class Rerun:
    """One experiment's test by given terms."""

    def __init__(self, experiment: Experiment, candidate: Candidate, sides: Sides, terms: Terms) -> None:
        frozen = candidate.stations.get("canary", {})
        budgets = frozen.get("budgets", {"p95_ms": terms.p95_ms, "usd_per_request": terms.usd_per_request})
        self._terms = terms
        self._weights = Weights(**frozen["weights"]) if "weights" in frozen else terms.weights
        self._p95_ms, self._usd = budgets["p95_ms"], budgets["usd_per_request"]
        self._since = experiment.started_at
        self._sides = sides
        self.test = PromotionTest(min_gain=terms.min_gain, **terms.non_inferiority)
        self.excluded = 0
        self.peak = 0.0  # the largest e-value that was looked for

    def run(self, units: Iterable[Unit], *, at: float, limit: int, watch_peak: bool = False) -> None:
        """Take the first `limit` of the units (in the order of assignment) that were settled at the time `at`."""
        left = limit
        for unit in units:
            if left <= 0 or unit.at > at - self._terms.deadline_s:
                return
            if (unit.at, unit.id) <= (self._since, ""):
                continue
            left -= 1
            self._add(unit)
            if watch_peak:
                self.peak = max(self.peak, self.test.e_value)

    def _add(self, unit: Unit) -> None:
        q = propensity(dict(unit.arms), self._sides)
        if q is None or not any(unit.arm in side for side in self._sides):
            self.excluded += 1
            return
        until = unit.at + self._terms.deadline_s
        settled = unit.outcome if unit.outcome_at <= until else None
        failure, validators, latency_ms, tokens, repairs, usd = settled or ("transport", {}, 0.0, 0, 0, 0.0)
        score = unit.score(until)
        worth = reward_value(
            failure=failure,
            validators=validators,
            score=score,
            latency_ms=latency_ms,
            output_tokens=tokens,
            repairs=repairs,
            cost_usd=usd,
            weights=self._weights,
            gates=self._gates(),
        )
        if worth is None:
            self.excluded += 1
            return
        self.test.add(
            unit.arm in self._sides[1],
            q,
            reward=worth,
            quality=quality(failure=failure, validators=validators, score=score, gates=self._gates()) or 0.0,
            failed=failure is not None,
            latency_share=1.0 if settled is None else min(latency_ms / self._p95_ms, 1.0),
            cost_share=min(usd / self._usd, 1.0),
            intent=unit.intent,
        )

    def _gates(self) -> Gates:
        return self._terms.gates

    def measured(self) -> dict[str, Any]:
        """As the evolver stores it."""
        test = self.test
        return {
            "units": list(test.units),
            "excluded": self.excluded,
            "e_value": round(test.e_value, _DIGITS),
            "e_values": _short(test.e_values),
            "estimates": _short(test.estimates()),
            "intervals": {name: _short(span._asdict()) for name, span in test.intervals(ALPHA).items()},
        }

    def disagreement(self, evidence: Mapping[str, Any]) -> Difference | None:
        """The first number that differs; None where everything came out again."""
        return first_difference("evidence", evidence, self.measured())

    def innocence(self, alpha: float) -> Difference | None:
        """What a candidate that was taken back for its reward should have shown, and did not; None where it did."""
        high = self.test.intervals(alpha)["reward"].high
        return None if high < 0.0 else ("verdict: reward is below production's by at least", 0.0, -high)


def _short(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in values.items()}
