import json
from random import Random

import numpy as np
import pytest

from policies.evidence import PairedTest
from tests.policies.evidence.worlds import most


def pair(rng: Random, mean: float, sigma: float = 0.3) -> float:
    return min(max(rng.gauss(mean, sigma), -1.0), 1.0)


def pairs_needed(rng: Random, mean: float, delta: float, needed: float, limit: int) -> int:
    test = PairedTest(delta)
    while test.e_value < needed and test.n < limit:
        test.add(pair(rng, mean))
    return test.n


def test_one_that_is_worse_by_the_margin_seldom_passes() -> None:
    rng, runs = Random(51), 200
    passed = sum(pairs_needed(rng, -0.05, 0.05, 20.0, 600) < 600 for _ in range(runs))
    assert passed <= most(runs, 0.05)


def test_an_equal_one_passes_about_as_fast_as_theory_allows() -> None:
    rng = Random(52)
    median = np.median([pairs_needed(rng, 0.0, 0.05, 20.0, 3000) for _ in range(80)])
    theory = 2 * np.log(20) * 0.3**2 / 0.05**2  # 216 pairs
    assert 0.6 * theory <= median <= 1.5 * theory


def test_interval_holds_the_truth_and_stays_in_range() -> None:
    rng, test = Random(53), PairedTest(0.05)
    assert test.interval() == (-1.0, 1.0)
    for _ in range(500):
        test.add(pair(rng, 0.1))
    low, high = test.interval(0.05)
    assert low < 0.1 < high
    assert high - low < 0.15
    assert low < test.estimate < high


@pytest.mark.parametrize("difference", [-1.001, 1.5, float("nan")])
def test_what_is_no_difference_of_shares_is_refused(difference: float) -> None:
    with pytest.raises(ValueError, match="paired difference"):
        PairedTest(0.05).add(difference)


def test_state_survives_json() -> None:
    rng, test = Random(54), PairedTest(0.05)
    for _ in range(20):
        test.add(pair(rng, 0.0))
    assert PairedTest.from_dict(json.loads(json.dumps(test.to_dict()))) == test
