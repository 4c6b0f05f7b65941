"""From texts with their groups to a classifier, in closed form: ridge regression, calibrated by leaving one out.

1. Groups weigh the same, however large, and the targets (1 inside, -1/(k-1) outside) then have the mean 0: a text that
   shares nothing with any group scores 0, not the share of the largest group.
2. Every text's score as a stranger comes from the same matrix (leave-one-out residual = alpha / diagonal of the
   inverse; Cook and Weisberg, 1982), so that no example has to be kept back.
3. The threshold is the least score above which those answers agree with the groups as often as `PRECISION` says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from policies.intents import Classifier, features
from policies.intents.classifier import ROWS

Floats = NDArray[np.float64]
NONE = -1  # a text of no group
RIDGE = 0.3
PRECISION = 0.95
LEAST_THRESHOLD = 0.2
LEAST_COVERAGE = 0.5  # a classifier that is silent more often than it speaks is none


@dataclass(frozen=True, slots=True)
class Trained:
    """A classifier, and how it does on texts that it has not seen: shares 0..1."""

    classifier: Classifier
    coverage: float  # of the grouped texts, those that get a name
    agreement: float  # of those, the ones that get the name of their group


def train(texts: Sequence[str], labels: Sequence[int], names: Sequence[str]) -> Trained | None:
    """A classifier for `names`, of which `labels` are the places (-1: of no group); None where it would say little.

    Deterministic. At most a few thousand texts: time grows with their number's cube, 0.5 s at 1,000.
    """
    if len(names) < 2:
        return None
    found = np.asarray(labels, dtype=np.int64)
    with threadpool_limits(limits=1):
        points, rarity = _points(texts)
        alpha, unseen = _ridge(points, found, len(names))
        weights = (points.T @ alpha) * rarity[:, None]
    calibrated = _calibrate(unseen, found)
    if calibrated is None:
        return None
    threshold, coverage, agreement = calibrated
    return Trained(_classifier(weights, names, threshold), coverage, agreement)


def _points(texts: Sequence[str]) -> tuple[Floats, Floats]:
    """Every text as a row of weighed counts, and the weights: rare features tell more (inverse document frequency)."""
    counts = np.zeros((len(texts), ROWS))
    for row, text in zip(counts, texts, strict=True):
        rows = features(text)
        if len(rows):
            np.add.at(row, rows, 1.0 / math.sqrt(len(rows)))
    rarity = np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0)))
    # One scale for all, so that a typical text has length 1: the ridge then means the same for any traffic.
    rarity /= math.sqrt(float(np.mean(((counts * rarity) ** 2).sum(axis=1)))) or 1.0
    return counts * rarity, rarity


def _ridge(points: Floats, labels: NDArray[np.int64], names: int) -> tuple[Floats, Floats]:
    """Dual coefficients, and every text's scores as if it had been left out."""
    targets = np.full((len(labels), names), -1.0 / (names - 1))
    grouped = labels != NONE
    targets[np.nonzero(grouped)[0], labels[grouped]] = 1.0
    sizes = np.bincount(labels[grouped], minlength=names)
    share = np.where(grouped, sizes[labels], max(int(sizes.max()), 1))
    weight = sizes.max() / share
    matrix = points @ points.T + np.diag(RIDGE / weight)
    inverse = np.linalg.inv(matrix)
    alpha = inverse @ targets
    return alpha, targets - alpha / np.diag(inverse)[:, None]


def _calibrate(unseen: Floats, labels: NDArray[np.int64]) -> tuple[float, float, float] | None:
    """(threshold, coverage, agreement) by the scores of unseen texts; None where no threshold will do."""
    best = unseen.argmax(axis=1)
    top = unseen[np.arange(len(best)), best]
    order = np.argsort(-top, kind="stable")
    right = np.cumsum((best == labels)[order]) / np.arange(1, len(order) + 1)
    held = np.nonzero((right >= PRECISION) & (top[order] >= LEAST_THRESHOLD))[0]
    grouped = labels != NONE
    if not len(held) or not grouped.any():
        return None
    last = int(held[-1])
    # Half-way to the next text that would not do: just below the last one, shorter texts of the kind would be lost.
    following = float(top[order][last + 1]) if last + 1 < len(order) else 0.0
    threshold = max(LEAST_THRESHOLD, (float(top[order][last]) + following) / 2)
    coverage = float((top[grouped] >= threshold).mean())
    return (threshold, coverage, float(right[last])) if coverage >= LEAST_COVERAGE else None


def _classifier(weights: Floats, names: Sequence[str], threshold: float) -> Classifier:
    scales = np.maximum(np.abs(weights).max(axis=0), 1e-9) / 127.0
    whole = np.rint(weights / scales).astype(np.int8)
    rounded = tuple(float(np.float32(scale)) for scale in scales)
    return Classifier(tuple(names), round(threshold, 6), rounded, whole)
