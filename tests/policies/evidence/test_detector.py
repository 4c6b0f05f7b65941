import json
from math import log

import numpy as np
import pytest
from scipy.stats import beta

from loadtests.evidence.rates import Floats
from loadtests.evidence.streams import Bools
from policies.evidence.detector import Detector, rate_bound
from policies.evidence.noharm import TARGETS
from tests.policies.evidence.worlds import most

A_YEAR = 10.0 * 86_400 * 365  # units at 10 requests a second


def statistics(failed: Bools, p0: float) -> Floats:
    """M for every unit (rows) and run (columns), from its definition: summed over all starts, not by the recursion."""
    mean = np.zeros(failed.shape)
    for target in TARGETS:
        logs = np.cumsum(np.where(failed, log(target), log((1 - target * p0) / (1 - p0))), axis=0)
        before = np.vstack([np.zeros(failed.shape[1]), logs[:-1]])
        mean += np.exp(logs + np.logaddexp.accumulate(-before, axis=0)) / len(TARGETS)
    return mean


def test_agrees_with_the_sum_over_all_starts() -> None:
    rng = np.random.default_rng(1)
    failed = rng.random((800, 1)) < 0.05
    detector, expected = Detector(0.03, 1e9), statistics(failed, 0.03)[:, 0]
    for unit, one in enumerate(failed[:, 0]):
        detector.add(bool(one))
        assert detector.statistic == pytest.approx(expected[unit], rel=1e-9)


def test_false_alarms_are_at_least_so_far_apart() -> None:
    """M - n is a martingale, so the mean time is at least c; P(alarm within n) <= n/c follows from Markov."""
    rng, runs, units, c = np.random.default_rng(2), 600, 500, 5000.0
    alarmed = (statistics(rng.random((units, runs)) < 0.02, 0.02) >= c).any(axis=0).sum()
    assert alarmed <= most(runs, units / c)
    # And where the rate is below the baseline, fewer still.
    better = (statistics(rng.random((units, runs)) < 0.01, 0.02) >= c).any(axis=0).sum()
    assert better <= alarmed


# At 10 requests a second, p0 = 1 %, one false alarm a year; ln(c)/KL is 500, 47 and 4.6 s.
@pytest.mark.parametrize(("ratio", "least_s", "most_s"), [(2, 290, 460), (5, 30, 55), (20, 3, 7)])
def test_delay_of_detection(ratio: float, least_s: float, most_s: float) -> None:
    rng, sound = np.random.default_rng(3), 2000
    rates = np.where(np.arange(sound + int(40 * most_s)) < sound, 0.01, 0.01 * ratio)
    alarms = statistics(rng.random((len(rates), 200)) < rates[:, None], 0.01) >= A_YEAR
    assert not alarms[:sound].any()
    assert alarms.any(axis=0).all()
    assert least_s <= np.median(alarms.argmax(axis=0) - sound) / 10.0 <= most_s


@pytest.mark.parametrize("baseline", [0.0, 0.2, 0.6, 0.95])
def test_any_baseline_gives_a_fair_game(baseline: float) -> None:
    ours, theirs = Detector(baseline, 100.0), Detector(baseline, 100.0)
    ours.add(True)
    theirs.add(False)
    p0 = ours.baseline
    assert p0 * ours.statistic + (1.0 - p0) * theirs.statistic == pytest.approx(1.0)


@pytest.mark.parametrize(("baseline", "units"), [(-0.1, 100.0), (1.0, 100.0), (0.1, 1.0), (0.1, float("nan"))])
def test_senseless_values_are_refused(baseline: float, units: float) -> None:
    with pytest.raises(ValueError, match="no detector"):
        Detector(baseline, units)


def test_state_survives_json() -> None:
    fresh = Detector(0.01, 1e6)
    assert Detector.from_dict(json.loads(json.dumps(fresh.to_dict()))) == fresh
    for failed in (False, True, True, True, False):
        fresh.add(failed)
    restored = Detector.from_dict(json.loads(json.dumps(fresh.to_dict())))
    assert restored == fresh
    assert (restored.units, restored.failures) == (5, 3)


def test_certain_failure_alarms_soon_and_stays_finite() -> None:
    detector = Detector(0.01, A_YEAR)
    assert next(unit for unit in range(100) if detector.add(True)) < 12
    for _ in range(2000):
        detector.add(True)
    assert detector.alarm
    assert detector.statistic < float("inf")


@pytest.mark.parametrize(("failures", "units"), [(0, 50), (3, 200), (40, 1000), (50, 50)])
def test_the_rate_bound_lies_above_the_exact_one(failures: int, units: int) -> None:
    exact = beta.ppf(0.95, failures + 1, units - failures) if failures < units else 1.0
    bound = rate_bound(failures, units, 0.05)
    assert exact - 1e-8 <= bound <= min(1.6 * exact + 0.02, 1.0)
    assert rate_bound(0, 0) == 1.0
