"""How far a judge can be believed: agreement with labels, scatter on repetition, and a mean corrected for its bias.

Prediction-powered inference: the judge's mean over many unlabelled pairs, plus the mean of (label - judge) over the
labelled ones. It is unbiased whatever the judge's errors; what they cost is width. Both means have bounds that hold at
every sample size, each at half the error, so that their sum holds as well.

Sources: Cohen, "A coefficient of agreement for nominal scales", 1960; Angelopoulos et al., "Prediction-powered
inference", Science 2023.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from policies.evidence import ConfidenceSequence

LEAST_LABELS = 50  # from so many on the corrected mean decides; before that it is shown


def kappa(judged: Sequence[float], labels: Sequence[float]) -> float | None:
    """Cohen's: agreement beyond chance on three classes (0, between, 1); None where chance alone explains it all."""
    first, second = ([_grade(score) for score in scores] for scores in (judged, labels))
    n = len(first)
    if n == 0:
        return None
    agreed = sum(a == b for a, b in zip(first, second, strict=True)) / n
    chance = sum(first.count(grade) * second.count(grade) for grade in (0, 1, 2)) / n**2
    return (agreed - chance) / (1.0 - chance) if chance < 1.0 else None


def _grade(score: float) -> int:
    return 0 if score <= 0.25 else 2 if score >= 0.75 else 1


def repeat_variance(twice: Sequence[tuple[float, float]]) -> float | None:
    """The variance of a judge's score when it is asked the same again; None without a repetition."""
    return sum((a - b) ** 2 for a, b in twice) / (2 * len(twice)) if twice else None


@dataclass(frozen=True, slots=True)
class Corrected:
    """The mean of labels that the unlabelled pairs would have got, with one-sided bounds at the level asked for."""

    mean: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        """JSON-able, rounded."""
        return {name: round(value, 6) for name, value in asdict(self).items()}


def corrected(scores: Sequence[float], judged: Sequence[float], labels: Sequence[float], alpha: float) -> Corrected:
    """Scores in [0, 1] of unlabelled pairs, corrected by (label - judged) on labelled ones, which are others.

    Raises:
        ValueError: no scores, or no labels.
    """
    if not scores or not labels:
        raise ValueError("a correction needs scores and labelled pairs")
    seen, missed = ConfidenceSequence(), ConfidenceSequence()
    for score in scores:
        seen.add(score, 0.0, 1.0)
    for label, score in zip(labels, judged, strict=True):
        missed.add(label - score, -1.0, 1.0)
    # Two-sided intervals at level alpha are one-sided bounds at alpha / 2 each: alpha for the two together.
    parts = (seen.interval(alpha).within(0.0, 1.0), missed.interval(alpha).within(-1.0, 1.0))
    mean = sum(scores) / len(scores) + sum(a - b for a, b in zip(labels, judged, strict=True)) / len(labels)
    low, high = sum(part.low for part in parts), sum(part.high for part in parts)
    return Corrected(*(min(max(value, 0.0), 1.0) for value in (mean, low, high)))
