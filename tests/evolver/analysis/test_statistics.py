"""The tests and intervals against independent implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evolver.analysis.statistics import (
    benjamini_hochberg,
    binomial_tail,
    hypergeometric_tail,
    newcombe,
    tango,
    tango_tail,
    wilson,
)


@given(st.integers(1, 300), st.data(), st.floats(0.001, 0.999))
def test_binomial_tail(n: int, data: st.DataObject, rate: float) -> None:
    hits = data.draw(st.integers(0, n))
    assert binomial_tail(hits, n, rate) == pytest.approx(stats.binom.sf(hits - 1, n, rate), rel=1e-6, abs=1e-12)


@given(st.integers(2, 400), st.data())
def test_hypergeometric_tail(total: int, data: st.DataObject) -> None:
    n, marked = data.draw(st.integers(0, total)), data.draw(st.integers(0, total))
    hits = data.draw(st.integers(0, min(n, marked)))
    expected = stats.hypergeom.sf(hits - 1, total, marked, n)
    assert hypergeometric_tail(hits, n, marked, total) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(1, 2000), st.data())
def test_wilson(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    expected = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_wilson_of_nothing_says_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_newcombe_gives_the_published_example() -> None:
    # Newcombe (1998), table II, method 10, row (a): 56/70 - 48/80.
    assert newcombe((56, 48), (70, 80)) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.01, 0.2))
def test_benjamini_hochberg(p_values: list[float], q: float) -> None:
    expected = list(stats.false_discovery_control(p_values) <= q) if p_values else []
    rejected = benjamini_hochberg(p_values, q)
    close = [abs(float(p) - q) < 1e-9 for p in (stats.false_discovery_control(p_values) if p_values else [])]
    assert all(ours == theirs or near for ours, theirs, near in zip(rejected, expected, close, strict=True))


def test_tails_hold_their_level() -> None:
    rng = np.random.default_rng(5)
    rejected = sum(binomial_tail(int(rng.binomial(200, 0.05)), 200, 0.05) <= 0.05 for _ in range(2000))
    assert rejected <= stats.binom.ppf(0.999, 2000, 0.05)


@given(st.integers(1, 200), st.data(), st.floats(-0.3, 0.3))
def test_tango_takes_the_nuisance_parameter_at_its_constrained_maximum(
    n: int, data: st.DataObject, difference: float
) -> None:
    worse = data.draw(st.integers(0, n))
    better = data.draw(st.integers(0, n - worse))
    same = n - worse - better
    grid = np.linspace(max(0.0, -difference), (1 - difference) / 2, 20_001)[1:-1]
    with np.errstate(divide="ignore"):
        likelihood = (
            worse * np.log(grid + difference) + better * np.log(grid) + same * np.log(1 - 2 * grid - difference)
        )
    rate = grid[np.argmax(likelihood)]
    variance = n * (2 * rate + difference * (1 - difference))
    if variance < 0.1:
        return
    expected = stats.norm.cdf((worse - better - n * difference) / np.sqrt(variance))
    assert tango_tail(worse, better, n, difference) == pytest.approx(expected, abs=5e-3)


@given(st.integers(1, 400), st.data())
def test_tango_holds_what_its_test_does_not_reject(n: int, data: st.DataObject) -> None:
    worse = data.draw(st.integers(0, n))
    better = data.draw(st.integers(0, n - worse))
    low, high = tango(worse, better, n)
    assert -1 <= low <= (worse - better) / n <= high <= 1
    if high < 0.99:
        assert tango_tail(worse, better, n, high) == pytest.approx(0.025, abs=1e-3)


def test_tango_of_nothing_says_nothing() -> None:
    assert tango(0, 0, 0) == (-1.0, 1.0)
