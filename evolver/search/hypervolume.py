"""How much a front dominates: the hypervolume above a reference point, exactly. Larger is better in every objective.

Source: While, Hingston, Barone and Huband, "A faster algorithm for calculating hypervolume", 2006 (slicing objectives).
Exponential in the objectives, and meant for fronts of a few dozen points in four of them.
"""

from collections.abc import Sequence

import numpy as np

from evolver.search.ledger import Ledger
from policies.genome import Genome

WORST = 2.0  # of the base's latency and cost: what is beyond dominates nothing


def hypervolume(points: Sequence[Sequence[float]], reference: Sequence[float]) -> float:
    """Volume of what at least one point dominates, above `reference`.

    Args:
        points: any number, each as long as the reference; those that are not above it in every objective count not.
        reference: the corner that everything is measured from.
    """
    shifted = [tuple(float(a - b) for a, b in zip(point, reference, strict=True)) for point in points]
    return _volume([point for point in shifted if min(point) > 0.0])


def _volume(points: list[tuple[float, ...]]) -> float:
    if not points:
        return 0.0
    if len(points[0]) == 1:
        return max(point[0] for point in points)
    total, above = 0.0, sorted(points, reverse=True)
    for place, point in enumerate(above):
        below = above[place + 1][0] if place + 1 < len(above) else 0.0
        if point[0] > below:
            total += (point[0] - below) * _volume([other[1:] for other in above[: place + 1]])
    return total


def of_genomes(genomes: Sequence[Genome], base: Genome, ledger: Ledger) -> float:
    """Of (quality, latency saved, cost saved, robustness), each from 0 to 1; saved: share of twice what the base takes.

    The base's own qualities q and r give q · r / 4 where nothing else is known, so 1 would be perfect and free.
    """
    start = ledger.objectives(base)
    points = []
    for one in map(ledger.objectives, genomes):
        saved = (_saved(one.latency_ms, start.latency_ms), _saved(one.cost_usd, start.cost_usd))
        points.append((one.quality, *saved, one.robustness))
    return float(np.clip(hypervolume(points, (0.0,) * 4), 0.0, 1.0))


def _saved(value: float, base: float) -> float:
    """1 for nothing spent, one half for what the base spends, 0 for twice that and more."""
    return max(0.0, 1.0 - value / (WORST * base)) if base > 0 else 0.5
