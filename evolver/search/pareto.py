"""NSGA-II: non-dominated sorting with constraint domination, and crowding (Deb et al., 2002). Larger is better."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def dominates(values: Floats, violations: Floats | None = None) -> NDArray[np.bool_]:
    """Matrix [i, j]: does row i dominate row j? A feasible row (violation 0) dominates every infeasible one."""
    left, right = values[:, None, :], values[None, :, :]
    better = np.all(left >= right, axis=2) & np.any(left > right, axis=2)
    if violations is None:
        return np.asarray(better, dtype=bool)
    breach = np.maximum(violations, 0.0)
    return np.asarray((breach[:, None] < breach[None, :]) | ((breach[:, None] == breach[None, :]) & better), dtype=bool)


def fronts(values: Floats, violations: Floats | None = None) -> NDArray[np.int64]:
    """The front of each row, from 0: those that nothing dominates once the fronts before are taken away."""
    beats = dominates(values, violations)
    ranks = np.full(len(values), -1, dtype=np.int64)
    front = 0
    while (waiting := ranks < 0).any():
        ranks[waiting & ~beats[waiting].any(axis=0)] = front
        front += 1
    return ranks


def crowding(values: Floats) -> Floats:
    """How alone each row of one front is: infinite at the ends of an objective, else the normalised box side sum."""
    n, objectives = values.shape
    distance = np.zeros(n)
    for column in range(objectives):
        order = np.argsort(values[:, column], kind="stable")
        ordered = values[order, column]
        span = ordered[-1] - ordered[0]
        if span > 0:
            distance[order[[0, -1]]] = np.inf
            distance[order[1:-1]] += (ordered[2:] - ordered[:-2]) / span
    return distance


def order(values: Floats, violations: Floats | None = None) -> NDArray[np.int64]:
    """Row numbers, best first: by front, then by crowding, then by the first objective, then as given."""
    ranks = fronts(values, violations)
    alone = np.zeros(len(values))
    for front in range(int(ranks.max(initial=-1)) + 1):
        alone[ranks == front] = crowding(values[ranks == front])
    return np.lexsort((-values[:, 0], -alone, ranks))
