"""Recorded outcomes of a weak and a strong model on the same questions, and what serving them by each rule yields.

Rows are split by a hash of their prompt. One half tunes weights and thresholds and is what the router has seen; the
other half is reported. A question's cost is its tokens (four characters each) and a fixed answer's at list prices.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "routing_outcomes.csv"
WEAK_USD, STRONG_USD = 0.6, 30.0  # per million tokens, in and out alike, as listed when the outcomes were recorded
ANSWER_TOKENS = 150  # assumed: the recording has none

Floats = NDArray[np.float64]


class Row(NamedTuple):
    """One question."""

    subject: str
    prompt: str
    weak: float  # 1 right, 0 wrong
    strong: float

    @property
    def tokens(self) -> int:
        """About how many go in."""
        return len(self.prompt) // 4


def halves(seed: int, path: Path = RECORDED) -> tuple[list[Row], list[Row]]:
    """(tuning, reported), both shuffled: the file is sorted by subject, which no traffic is."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [
            Row(row["subject"], row["prompt"], float(row["weak_correct"]), float(row["strong_correct"]))
            for row in csv.DictReader(file)
        ]
    Random(seed).shuffle(rows)
    tuning = [row for row in rows if _odd(row)]
    return tuning, [row for row in rows if not _odd(row)]


def _odd(row: Row) -> bool:
    return bool(blake2b(row.prompt.encode(), digest_size=1).digest()[0] & 1)


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as columns; costs in US dollars."""

    weak: Floats
    strong: Floats
    weak_usd: Floats
    strong_usd: Floats
    subjects: tuple[str, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Table":
        """Of these rows."""
        tokens = np.array([row.tokens + ANSWER_TOKENS for row in rows], dtype=float)
        return cls(
            np.array([row.weak for row in rows]),
            np.array([row.strong for row in rows]),
            tokens * WEAK_USD / 1e6,
            tokens * STRONG_USD / 1e6,
            tuple(row.subject for row in rows),
        )

    def served(self, strong: Floats) -> tuple[Floats, Floats]:
        """(right, US dollars) of each row, where `strong` is the share (0..1) of it that the strong model serves."""
        return (
            strong * self.strong + (1.0 - strong) * self.weak,
            strong * self.strong_usd + (1.0 - strong) * self.weak_usd,
        )

    def escalated(self, strong: Floats, verdicts: Floats) -> tuple[Floats, Floats]:
        """The same of a cascade: the weak model is always asked, then verified at `verdicts` US dollars."""
        right, usd = self.served(strong)
        return right, usd + strong * self.weak_usd + verdicts


class Point(NamedTuple):
    """A rule at one setting: means over rows."""

    share: float  # served by the strong model
    right: float
    usd: float


def curve(scores: Floats, table: Table, *, cascade: Floats | None = None, steps: int = 201) -> list[Point]:
    """The rule "strong where the score is high" at every share from 0 to 1, in even steps."""
    order = np.argsort(-scores, kind="stable")
    points = []
    for count in np.linspace(0, len(order), steps).astype(int):
        strong = np.zeros(len(order))
        strong[order[:count]] = 1.0
        right, usd = table.served(strong) if cascade is None else table.escalated(strong, cascade)
        points.append(Point(count / len(order), float(right.mean()), float(usd.mean())))
    return points


def area(points: Sequence[Point]) -> float:
    """Mean accuracy over all shares of the strong model: 0.5 * (weak + strong) is what random calls reach."""
    shares, right = np.array([p.share for p in points]), np.array([p.right for p in points])
    return float(np.trapezoid(right, shares))


def cheapest(points: Sequence[Point], right: float) -> Point:
    """The cheapest setting that reaches that accuracy; the last one where none does."""
    return min((p for p in points if p.right >= right), key=lambda p: p.usd, default=points[-1])


def by_subject(table: Table) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """(subject, its rows), by name."""
    subjects = np.array(table.subjects)
    for name in sorted(set(table.subjects)):
        yield name, subjects == name
