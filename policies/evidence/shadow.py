"""The shadow's paired test: both versions answer the same request, so the difference carries little noise.

Pairs needed are about 2 log(1/alpha) sigma^2 / Delta^2 for a mean that lies Delta above the hypothesis.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from policies.evidence.betting import Bettor
from policies.evidence.interval import ConfidenceSequence, Interval


@dataclass(slots=True)
class PairedTest:
    """Non-inferiority of the candidate: is the mean difference above -delta? O(1) state.

    `delta` >= 0 is the margin; a negative one demands a gain of that size.
    """

    delta: float
    bettor: Bettor = field(default_factory=Bettor)
    sequence: ConfidenceSequence = field(default_factory=ConfidenceSequence)

    def add(self, difference: float) -> None:
        """One pair: the candidate's value minus production's on the same request, in [-1, 1].

        Raises:
            ValueError: out of range.
        """
        if not -1.0 <= difference <= 1.0:
            raise ValueError(f"a paired difference lies in [-1, 1], got {difference}")
        self.bettor.add(difference + self.delta, self.delta - 1.0)
        self.sequence.add(difference, -1.0, 1.0)

    @property
    def n(self) -> int:
        """Pairs so far."""
        return self.bettor.units

    @property
    def e_value(self) -> float:
        """Evidence against "the mean difference is at most -delta"."""
        return self.bettor.e_value

    @property
    def estimate(self) -> float:
        """The mean difference."""
        return self.sequence.estimate

    def interval(self, alpha: float = 0.05) -> Interval:
        """Of the mean difference, with coverage 1 - alpha at all times at once; within [-1, 1]."""
        return self.sequence.interval(alpha).within(-1.0, 1.0)

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`."""
        return cls(data["delta"], Bettor(**data["bettor"]), ConfidenceSequence(**data["sequence"]))
