import json
from math import isfinite, log1p

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.evidence.noharm import BETS, RHOS, Wealth, log_factors
from tests.policies.evidence.worlds import crossed

SHARES = st.floats(0.001, 0.999)
UNITS = st.lists(st.tuples(st.booleans(), st.sampled_from([0.02, 0.1, 0.2, 0.5]), st.booleans()), max_size=60)


def wealth_of(units: list[tuple[bool, float, bool]]) -> Wealth:
    wealth = Wealth()
    for challenger, q, failed in units:
        wealth.add(challenger, q, failed)
    return wealth


def same(one: Wealth, other: Wealth) -> bool:
    return one.counts.to_dict() == other.counts.to_dict() and one.logs == pytest.approx(other.logs, abs=1e-9)


@given(SHARES)
def test_factors_are_those_of_the_best_bet(q: float) -> None:
    for (rho, target), on_production, on_candidate in zip(BETS, *log_factors(q), strict=True):
        bet = (target - rho) / rho * q * (1 - q) / (target * q + 1 - q)
        assert 0 <= bet < (1 - q) / rho
        assert on_candidate == pytest.approx(log1p(bet / q), abs=1e-9)
        assert on_production == pytest.approx(log1p(-bet * rho / (1 - q)), abs=1e-9)


@given(SHARES)
def test_the_game_is_fair_at_exactly_rho(q: float) -> None:
    for (rho, _), on_production, on_candidate in zip(BETS, *log_factors(q), strict=True):
        # A failure is the candidate's with odds rho q : 1 - q; the rest of the factor's mean comes from successes.
        gain = q * rho * np.expm1(on_candidate) + (1 - q) * np.expm1(on_production)
        assert gain == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 1.1, float("nan")])
def test_a_propensity_outside_the_open_interval_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="propensity"):
        log_factors(q)


@given(UNITS, UNITS, UNITS)
def test_merging_is_adding_the_units_in_any_grouping_and_order(
    first: list[tuple[bool, float, bool]], second: list[tuple[bool, float, bool]], third: list[tuple[bool, float, bool]]
) -> None:
    left = wealth_of(first)
    left.merge(wealth_of(second))
    left.merge(wealth_of(third))
    right = wealth_of(third)
    tail = wealth_of(second)
    tail.merge(right)
    tail.merge(wealth_of(first))
    assert same(left, tail)
    assert same(left, wealth_of(third + first + second))


@given(UNITS)
def test_totals_survive_json(units: list[tuple[bool, float, bool]]) -> None:
    wealth = wealth_of(units)
    restored = Wealth.from_dict(json.loads(json.dumps(wealth.to_dict())))
    assert restored.logs == wealth.logs
    assert restored.to_dict() == wealth.to_dict()
    assert Wealth.from_dict({}).to_dict() == Wealth().to_dict()


def test_only_failures_move_the_wealth() -> None:
    wealth = wealth_of([(True, 0.2, False), (False, 0.2, False)] * 100)
    assert [wealth.e_value(rho) for rho in RHOS] == [1.0, 1.0]
    assert wealth.counts.units == [100, 100]
    wealth.add(True, 0.2, True)
    assert wealth.e_value(1) > 1.0
    wealth.add(False, 0.2, True)
    wealth.add(False, 0.2, True)
    assert wealth.e_value(1) < 1.0


def test_a_landslide_stays_a_json_number() -> None:
    assert isfinite(wealth_of([(True, 0.02, True)] * 5000).e_value(1))


def test_agrees_with_the_independent_simulation() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        challenger, failed = rng.random((400, 1)) < 0.3, rng.random((400, 1)) < 0.2
        wealth, ours = Wealth(), False
        for a, f in zip(challenger[:, 0], failed[:, 0], strict=True):
            wealth.add(bool(a), 0.3, bool(f))
            ours = ours or wealth.e_value(1) >= 4.0
        assert ours == crossed(challenger, failed, 0.3, rho=1, alpha=0.25)[0]


# Median candidate requests to trip at alpha = 1 %, share 0.2, p0 = 2 %; theory for 2x is 788 plus the mixture's price.
@pytest.mark.parametrize(("ratio", "least", "most"), [(2, 700, 1000), (3, 220, 280), (5, 75, 100), (20, 11, 17)])
def test_power(ratio: float, least: int, most: int) -> None:
    rng = np.random.default_rng(5)
    challenger = rng.random((int(8 * most / 0.2), 300)) < 0.2
    failed = rng.random(challenger.shape) < np.where(challenger, 0.02 * ratio, 0.02)
    factors = np.array(log_factors(0.2))[:, : [rho for rho, _ in BETS].count(1)]
    wealth = np.zeros(challenger.shape)
    for production, candidate in factors.T:
        wealth += np.exp(np.minimum(np.cumsum(np.where(challenger, candidate, production) * failed, axis=0), 600)) / 5
    tripped = wealth >= 100.0
    needed = np.where(tripped.any(axis=0), np.cumsum(challenger, axis=0)[tripped.argmax(axis=0), range(300)], np.inf)
    assert least <= np.median(needed) <= most
