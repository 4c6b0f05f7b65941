"""The report's intervals, checked against what they promise and against scipy."""

import math

import numpy as np
import pytest
from scipy import stats

from gateway.demo.measure import mean_interval, percentile_interval, share_interval

RUNS = 400


def covered(hits: int) -> None:
    """95 % intervals must hold the truth in about 95 % of runs: at least the 99.9 % binomial bound."""
    assert hits >= stats.binom.ppf(0.001, RUNS, 0.93)


def test_the_mean_interval_holds_the_mean() -> None:
    rng = np.random.default_rng(1)
    covered(sum(m.low <= 0.5 <= m.high for m in (mean_interval(list(rng.uniform(size=80))) for _ in range(RUNS))))


def test_the_percentile_interval_holds_the_percentile() -> None:
    rng = np.random.default_rng(2)
    truth = math.log(20.0)  # the 95th percentile of the exponential distribution
    found = (percentile_interval(list(rng.exponential(size=300)), 0.95) for _ in range(RUNS))
    covered(sum(m.low <= truth <= m.high for m in found))


@pytest.mark.parametrize(("hits", "n"), [(0, 5), (5, 5), (3, 40), (399, 400)])
def test_the_share_interval_is_wilsons(hits: int, n: int) -> None:
    oracle = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    found = share_interval(hits, n)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-5)


@pytest.mark.parametrize("measured", [mean_interval([]), percentile_interval([], 0.95), share_interval(0, 0)])
def test_nothing_measured_is_zeros(measured: object) -> None:
    assert measured == type(measured)(0.0, 0.0, 0.0, 0)  # type: ignore[call-arg]


def test_one_value_says_nothing_about_the_mean() -> None:
    assert mean_interval([0.7]).high == math.inf
