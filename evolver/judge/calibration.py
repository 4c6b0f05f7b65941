"""How far a judge can be believed: agreement with labels, and scatter on repetition.

Source: Cohen, "A coefficient of agreement for nominal scales", 1960.
"""

from collections.abc import Sequence


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
