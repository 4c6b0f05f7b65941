from random import Random

import numpy as np
import pytest

from policies.evidence.betting import Bettor
from policies.evidence.interval import ConfidenceSequence
from tests.policies.evidence.worlds import most

RUNS = 300


def reaches(rng: Random, mean: float, *, units: int, needed: float) -> int | None:
    """Observations of -1 or 1 with that mean until the wealth is reached."""
    bettor = Bettor()
    for unit in range(units):
        bettor.add(1.0 if rng.random() < (1.0 + mean) / 2.0 else -1.0, -1.0)
        if bettor.e_value >= needed:
            return unit + 1
    return None


def test_a_mean_of_nothing_is_seldom_taken_for_a_gain() -> None:
    rng = Random(31)
    assert sum(reaches(rng, 0.0, units=800, needed=20.0) is not None for _ in range(RUNS)) <= most(RUNS, 0.05)


def test_a_gain_is_found() -> None:
    rng = Random(32)
    needed = [reaches(rng, 0.2, units=2000, needed=20.0) or 2000 for _ in range(100)]
    assert np.median(needed) < 1.6 * 2 * np.log(20) / 0.2**2  # Kelly's own rate is 2 log(1/alpha)/gain^2


def test_the_worst_possible_observation_takes_half_at_most() -> None:
    bettor = Bettor()
    for low in (-0.5, -3.0, -50.0):
        before = bettor.e_value
        bettor.add(low, low)
        assert bettor.e_value >= 0.5 * before * (1 - 1e-12)


def test_intervals_cover_at_all_times_while_mean_and_bounds_change() -> None:
    rng, runs, missed, widths = Random(33), 200, 0, []
    for _ in range(runs):
        sequence, truth, weight, ever = ConfidenceSequence(), 0.0, 0.0, False
        for unit in range(400):
            chance, scale = 0.2 + 0.6 * (unit / 400), 1.0 if unit % 3 else 3.0
            before = sequence.weights
            sequence.add(scale * (rng.random() < chance), 0.0, scale)
            truth += (sequence.weights - before) * scale * chance
            weight = sequence.weights
            low, high = sequence.interval(0.05)
            ever = ever or not low <= truth / weight <= high
        missed += ever
        widths.append(high - low)
    assert missed <= most(runs, 0.05)
    assert np.median(widths) < 0.6  # of a possible 3


def test_an_interval_of_nothing_says_nothing() -> None:
    low, high = ConfidenceSequence().interval(0.05)
    assert (low, high) == (float("-inf"), float("inf"))


@pytest.mark.parametrize("alpha", [0.01, 0.2])
def test_other_confidences_widen_and_narrow(alpha: float) -> None:
    sequence = ConfidenceSequence()
    for unit in range(100):
        sequence.add(unit % 2, 0.0, 1.0)
    usual, other = sequence.interval(0.05), sequence.interval(alpha)
    assert (other.high - other.low > usual.high - usual.low) is (alpha < 0.05)
    assert usual.low < sequence.estimate < usual.high
