"""Exact tests and intervals behind every finding, small enough to be checked by hand.

Rates are judged by exact tails (binomial, hypergeometric), shown with Wilson intervals, and reported only where
they survive Benjamini-Hochberg over everything that was tested in the same analysis.
"""

import math
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Z95 = 1.959963984540054  # two-sided 95 %


def wilson(hits: int, n: int, z: float = Z95) -> tuple[float, float]:
    """The Wilson score interval of a rate (E. B. Wilson, 1927); (0, 1) where `n` is 0."""
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def newcombe(hits: tuple[int, int], sizes: tuple[int, int], z: float = Z95) -> tuple[float, float]:
    """Interval of the first rate minus the second (R. G. Newcombe, 1998, method 10)."""
    first, second = (h / n for h, n in zip(hits, sizes, strict=True))
    (low1, high1), (low2, high2) = (wilson(h, n, z) for h, n in zip(hits, sizes, strict=True))
    difference = first - second
    below = math.hypot(first - low1, high2 - second)
    above = math.hypot(high1 - first, second - low2)
    return difference - below, difference + above


def tango(worse: int, better: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Score interval of a difference of paired rates, (worse - better) / n (T. Tango, 1998); (-1, 1) where n is 0."""
    if n == 0:
        return -1.0, 1.0
    rate = (worse - better) / n
    score = partial(_tango_score, worse, better, n)
    return _crossing(score, -1.0, rate, z), _crossing(score, rate, 1.0, -z)


def tango_tail(worse: int, better: int, n: int, margin: float) -> float:
    """P-value against "worse by `margin` (0..1) or more", of `n` pairs."""
    return 0.5 * math.erfc(-_tango_score(worse, better, n, margin) / math.sqrt(2))


def _tango_score(b: int, c: int, n: int, difference: float) -> float:
    """Standard normal where that is the true difference; the nuisance parameter is at its constrained maximum."""
    spread = difference * (1 - difference)
    first, second = 2 * n, -b - c + (2 * n - b + c) * difference
    rate = (math.sqrt(max(0.0, second * second + 4 * first * c * spread)) - second) / (2 * first)
    variance = n * (2 * rate + spread)
    distance = b - c - n * difference
    return (
        distance / math.sqrt(variance) if variance > 1e-12 else math.copysign(math.inf, distance) if distance else 0.0
    )


def _crossing(score: Callable[[float], float], low: float, high: float, z: float) -> float:
    """Where a falling score has the value z."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if score(middle) > z else (low, middle)
    return (low + high) / 2


def binomial_tail(hits: int, n: int, rate: float) -> float:
    """P(X >= hits) for X ~ Binomial(n, rate), 0 < rate < 1."""
    if hits <= 0:
        return 1.0
    k = np.arange(hits, n + 1)
    return _total(_log_choose(n, k) + k * math.log(rate) + (n - k) * math.log1p(-rate))


def hypergeometric_tail(hits: int, n: int, marked: int, total: int) -> float:
    """P(X >= hits) when `n` of `total` are drawn, `marked` of which are hits: Fisher's exact one-sided test."""
    lowest, highest = max(0, n + marked - total), min(n, marked)
    if hits <= lowest:
        return 1.0
    k = np.arange(hits, highest + 1)
    logs = _log_choose(marked, k) + _log_choose(total - marked, n - k) - _log_choose(total, np.array([n]))
    return _total(logs)


def benjamini_hochberg(p_values: Sequence[float], q: float) -> list[bool]:
    """Which hypotheses to reject so that the expected share of false ones is at most `q` (1995)."""
    order = np.argsort(p_values)
    sorted_p = np.asarray(p_values, dtype=np.float64)[order]
    passed = np.nonzero(sorted_p <= q * np.arange(1, len(order) + 1) / max(len(order), 1))[0]
    rejected = np.zeros(len(order), dtype=bool)
    if len(passed):
        rejected[order[: passed[-1] + 1]] = True
    return [bool(flag) for flag in rejected]


@lru_cache(maxsize=32)
def _log_factorials(bits: int) -> Floats:
    """log k! for k below 2**bits."""
    return np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, 2**bits, dtype=np.float64)))))


def _log_choose(n: int, k: NDArray[np.int64]) -> Floats:
    table = _log_factorials(n.bit_length())
    return np.asarray(table[n] - table[k] - table[n - k], dtype=np.float64)


def _total(logs: Floats) -> float:
    if not len(logs):
        return 0.0
    peak = float(logs.max())
    return min(1.0, math.exp(peak) * float(np.exp(logs - peak).sum()))
