"""One metric of a randomised comparison: is the candidate better by more than `delta`?

For a value V in [0, 1] (higher is better), A whether the unit was on the candidate and q its propensity,

    X = (A/q - (1 - A)/(1 - q)) (V - m) - delta

has mean f1 - f0 - delta whatever the prediction m, as long as m was known before the arm was drawn: drift and changing
shares cancel, a good m only narrows the spread. m is the running mean, by intent where one is given.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from policies.evidence.betting import Bettor
from policies.evidence.interval import ConfidenceSequence, Interval

_INTENTS = 256  # further intents share the overall mean, so that the state stays bounded
_SHRINKAGE = 10.0  # units after which an intent's own mean weighs as much as the overall one


@dataclass(slots=True)
class Prediction:
    """The running mean of a value, by intent shrunk to the overall mean; begun with one unit of 1/2."""

    overall: list[float] = field(default_factory=lambda: [0.5, 1.0])  # sum, units
    intents: dict[str, list[float]] = field(default_factory=dict)

    def of(self, intent: str) -> float:
        """The prediction for the next unit of that intent, in (0, 1)."""
        mean = self.overall[0] / self.overall[1]
        total, units = self.intents.get(intent, (0.0, 0.0))
        return (total + _SHRINKAGE * mean) / (units + _SHRINKAGE)

    def add(self, value: float, intent: str) -> None:
        """Learn from a value in [0, 1]."""
        self.overall[0] += value
        self.overall[1] += 1.0
        if intent and (intent in self.intents or len(self.intents) < _INTENTS):
            sums = self.intents.setdefault(intent, [0.0, 0.0])
            sums[0] += value
            sums[1] += 1.0


@dataclass(slots=True)
class Comparison:
    """O(1) state. `delta` may be negative: then the test is for "worse by less than -delta"."""

    delta: float
    prediction: Prediction = field(default_factory=Prediction)
    bettor: Bettor = field(default_factory=Bettor)
    sequence: ConfidenceSequence = field(default_factory=ConfidenceSequence)

    def add(self, challenger: bool, q: float, value: float, intent: str) -> None:
        """One unit's frozen value in [0, 1], in the order of assignment; q in (0, 1) at its assignment."""
        m = self.prediction.of(intent)
        difference = (value - m) / q if challenger else (m - value) / (1.0 - q)
        low = -max(m / q, (1.0 - m) / (1.0 - q))
        high = max((1.0 - m) / q, m / (1.0 - q))
        self.bettor.add(difference - self.delta, low - self.delta)
        self.sequence.add(difference, low, high)
        self.prediction.add(value, intent)

    @property
    def e_value(self) -> float:
        """Evidence against "better by at most delta"."""
        return self.bettor.e_value

    @property
    def estimate(self) -> float:
        """The candidate's mean minus production's."""
        return self.sequence.estimate

    def interval(self, alpha: float) -> Interval:
        """Of that difference, with coverage 1 - alpha at all times at once; within [-1, 1]."""
        return self.sequence.interval(alpha).within(-1.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(
            data["delta"],
            Prediction(**data["prediction"]),
            Bettor(**data["bettor"]),
            ConfidenceSequence(**data["sequence"]),
        )
