"""NSGA-II ranks against a brute-force oracle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolver.search import pareto

values = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=14)


def oracle(rows: list[tuple[int, ...]], violations: list[float]) -> list[int]:
    def beats(i: int, j: int) -> bool:
        if violations[i] != violations[j]:
            return violations[i] < violations[j]
        pairs = list(zip(rows[i], rows[j], strict=True))
        return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)

    ranks: dict[int, int] = {}
    while len(ranks) < len(rows):
        waiting = [i for i in range(len(rows)) if i not in ranks]
        front = [i for i in waiting if not any(beats(j, i) for j in waiting)]
        ranks |= dict.fromkeys(front, max(ranks.values(), default=-1) + 1)
    return [ranks[i] for i in range(len(rows))]


@given(values, st.data())
def test_fronts(rows: list[tuple[int, ...]], data: st.DataObject) -> None:
    violations = data.draw(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0]), min_size=len(rows), max_size=len(rows)))
    ranks = pareto.fronts(np.array(rows, dtype=float), np.array(violations))
    assert list(ranks) == oracle(rows, violations)


@given(values)
def test_order_goes_by_front(rows: list[tuple[int, ...]]) -> None:
    matrix = np.array(rows, dtype=float)
    ranks = pareto.fronts(matrix)[pareto.order(matrix)]
    assert sorted(pareto.order(matrix)) == list(range(len(rows)))
    assert list(ranks) == sorted(ranks)


def test_crowding_keeps_the_ends_and_prefers_the_lonely() -> None:
    distance = pareto.crowding(np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [6.0, 4.0], [10.0, 0.0]]))
    assert np.isinf(distance[[0, 4]]).all()
    assert distance[3] == pytest.approx(0.8 + 0.8)
    assert distance[1] == pytest.approx(0.2 + 0.2)


def test_an_objective_without_spread_does_not_divide_by_zero() -> None:
    assert not np.isnan(pareto.crowding(np.ones((4, 2)))).any()
