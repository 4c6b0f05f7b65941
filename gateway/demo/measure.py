"""Means and percentiles with 95 % intervals, of independent conversations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gateway.demo.tally import Answer

Z = 1.959964  # the two-sided 95 % point of the normal distribution


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure and its interval; all NaN-free, zeros where n is 0."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(values: Sequence[float]) -> Measured:
    """The mean and its normal 95 % interval."""
    n = len(values)
    if n < 2:
        return Measured(float(sum(values)), 0.0, float("inf") if n else 0.0, n)
    array = np.asarray(values, dtype=float)
    mean = float(array.mean())
    half = Z * float(array.std(ddof=1)) / math.sqrt(n)
    return Measured(mean, mean - half, mean + half, n)


def share_interval(hits: int, n: int) -> Measured:
    """A proportion and its Wilson 95 % interval."""
    if n == 0:
        return Measured(0.0, 0.0, 0.0, 0)
    share = hits / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    return Measured(share, max(0.0, centre - half), min(1.0, centre + half), n)


def percentile_interval(values: Sequence[float], p: float) -> Measured:
    """A percentile and the order statistics that hold it with 95 % (binomial, normal approximation)."""
    n = len(values)
    if n == 0:
        return Measured(0.0, 0.0, 0.0, 0)
    ordered = sorted(values)
    half = Z * math.sqrt(n * p * (1 - p))

    def at(rank: float) -> float:
        return float(ordered[min(max(int(rank), 0), n - 1)])

    return Measured(at(n * p), at(math.floor(n * p - half)), at(math.ceil(n * p + half)), n)


def figures(answers: Sequence[Answer]) -> dict[str, Measured]:
    """The four figures of the report."""
    return {
        "quality": mean_interval([answer.quality for answer in answers if answer.quality is not None]),
        "p95_ms": percentile_interval([answer.latency_ms for answer in answers], 0.95),
        "cost_usd_per_request": mean_interval([answer.cost_usd for answer in answers]),
        "robustness": share_interval(sum(answer.robust for answer in answers), len(answers)),
    }
