"""The judge's score: from the verdicts on single pairs to pass, fail, expire, or go on.

1. A win or a tie of the candidate counts 1, a loss 0, orders that contradict each other one half.
2. Looks share the error budget. The bounds of the score are held against the threshold.
3. With enough labelled pairs the corrected mean decides: prediction-powered inference, the judge's mean over many
   unlabelled pairs plus the mean of (label - judge) over the labelled ones. It is unbiased whatever the judge's errors;
   what they cost is width. Both means have bounds that hold at every sample size, each at half the error.

Source of the correction: Angelopoulos et al., "Prediction-powered inference", Science 2023.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import log
from typing import Any, Literal

from policies.evidence.interval import ConfidenceSequence

ALPHA = 0.05
LOOKS = 4
LEAST_LABELS = 50  # from so many on the corrected mean decides; before that it is shown


def score_of(first: str, second: str) -> float:
    """Of one pair, by the winners ("A", "B" or "tie") of both orders: production is A in the first, B in the second."""
    return (float(first != "A") + float(second != "B")) / 2


@dataclass(frozen=True, slots=True)
class Ruled:
    """What a look comes to: the event (None: judging goes on), and the mean with its one-sided bounds."""

    event: Literal["pass", "fail", "expire"] | None
    mean: float
    low: float
    high: float
    corrected: "Corrected | None"


def ruled(
    scores: Sequence[float], *, looks: int, threshold: float, judged: Sequence[float], labels: Sequence[float]
) -> Ruled:
    """Decide after that many looks; `judged` are the judge's scores of the pairs that people gave these `labels`.

    Raises:
        ValueError: no scores.
    """
    if not scores:
        raise ValueError("a judge's score needs judged pairs")
    mean = sum(scores) / len(scores)
    low, high = bounds(mean, len(scores), ALPHA / LOOKS)
    better = corrected(scores, judged, labels, ALPHA / LOOKS) if labels else None
    if better is not None and len(labels) >= LEAST_LABELS:
        low, high = better.low, better.high
    if low >= threshold:
        return Ruled("pass", mean, low, high, better)
    if high < threshold:
        return Ruled("fail", mean, low, high, better)
    return Ruled("expire" if looks >= LOOKS else None, mean, low, high, better)


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


def bounds(mean: float, n: int, alpha: float) -> tuple[float, float]:
    """One-sided bounds, each at level `alpha`, of the mean of `n` independent scores in [0, 1].

    Inverts Hoeffding's inequality in its relative-entropy form: P(mean of n >= p + t) <= exp(-n KL(p + t, p)); it
    needs no assumption on the scores but their range (Hoeffding 1963, theorem 1).
    """
    if n == 0:
        return 0.0, 1.0
    limit = log(1 / alpha) / n
    return _edge(mean, 0.0, limit), _edge(mean, 1.0, limit)


def _edge(mean: float, end: float, limit: float) -> float:
    """The point between `mean` and `end` at which the divergence from `mean` reaches `limit`, by bisection."""
    near, far = mean, end
    for _ in range(50):
        middle = (near + far) / 2
        if _divergence(mean, middle) <= limit:
            near = middle
        else:
            far = middle
    return near


def _divergence(q: float, p: float) -> float:
    """KL(Bernoulli(q) || Bernoulli(p))."""
    total = 0.0
    for a, b in ((q, p), (1 - q, 1 - p)):
        if a > 0:
            if b <= 0:
                return float("inf")
            total += a * log(a / b)
    return total
