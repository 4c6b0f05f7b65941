"""Weighted rendezvous: the weights hold, a unit stays, and only those move that must."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from policies.resilience import preference
from policies.resilience.places import MOST

UNITS = [b"unit-%d" % number for number in range(4000)]
WEIGHTS = st.lists(st.floats(0.01, 100.0), min_size=1, max_size=MOST)


@pytest.mark.parametrize("weights", [[1.0, 1.0], [3.0, 1.0], [5.0, 3.0, 2.0]])
def test_shares_follow_the_weights(weights: list[float]) -> None:
    firsts = [preference(weights, unit)[0] for unit in UNITS]
    for at, weight in enumerate(weights):
        assert binomtest(firsts.count(at), len(UNITS), weight / sum(weights)).pvalue > 1e-4


@given(WEIGHTS, st.binary(max_size=80))
def test_it_is_an_order_of_all_and_always_the_same(weights: list[float], unit: bytes) -> None:
    order = preference(weights, unit)
    assert sorted(order) == list(range(len(weights)))
    assert preference(weights, unit) == order


def test_another_upstream_at_the_end_takes_its_share_and_moves_nobody_else() -> None:
    before = [preference([2.0, 1.0], unit)[0] for unit in UNITS]
    after = [preference([2.0, 1.0, 1.0], unit)[0] for unit in UNITS]
    assert {now for then, now in zip(before, after, strict=True) if now != then} == {2}


def test_one_that_leaves_spreads_its_units_by_weight() -> None:
    orders = [preference([2.0, 3.0, 1.0], unit) for unit in UNITS]
    seconds = [order[1] for order in orders if order[0] == 0]
    assert binomtest(seconds.count(1), len(seconds), 0.75).pvalue > 1e-4
