import json
from random import Random

import numpy as np
import pytest

from policies.evidence import PromotionTest, threshold
from policies.evidence.comparison import Comparison, Prediction
from tests.policies.evidence.worlds import most

FIRST = threshold(1, 0, 0.10)


def promotion() -> PromotionTest:
    return PromotionTest(min_gain=0.01, quality=0.05, failure=0.05, latency=0.05, cost=0.05)


def fill(test: PromotionTest, rng: Random, *, units: int, success: tuple[float, float], **better: float) -> None:
    """Production's and the candidate's success; `better` moves the candidate's other metrics up."""
    for _ in range(units):
        challenger = rng.random() < 0.5
        test.add(
            challenger,
            0.5,
            reward=float(rng.random() < success[challenger]),
            quality=rng.uniform(0.5, 0.7) - challenger * better.get("quality", 0.0),
            failed=rng.random() < 0.05 + challenger * better.get("failure", 0.0),
            latency_share=rng.uniform(0.2, 0.4) + challenger * better.get("latency", 0.0),
            cost_share=rng.uniform(0.1, 0.3) + challenger * better.get("cost", 0.0),
            intent=rng.choice(["", "refund", "greeting"]),
        )


def test_a_better_candidate_is_proven_on_all_five() -> None:
    test = promotion()
    fill(test, Random(41), units=2500, success=(0.6, 0.8))
    assert test.e_value >= FIRST
    assert test.e_value == min(test.e_values.values())
    assert test.n == sum(test.units) == 2500
    assert test.intervals()["reward"].low > 0.01


def test_savings_do_not_pay_for_quality() -> None:
    test = promotion()
    fill(test, Random(45), units=2500, success=(0.6, 0.8), quality=0.15)
    assert test.e_values["reward"] >= FIRST
    assert test.e_value == test.e_values["quality"] < 1.0
    low, high = test.intervals()["quality"]
    assert low < test.estimates()["quality"] < high < -0.05


def test_a_test_from_before_quality_was_compared_goes_on_without() -> None:
    old = PromotionTest(min_gain=0.01, failure=0.05, latency=0.05, cost=0.05)
    fill(old, Random(46), units=500, success=(0.6, 0.8), quality=0.3)
    restored = PromotionTest.from_dict(json.loads(json.dumps(old.to_dict())))
    assert set(restored.e_values) == {"reward", "failure", "latency", "cost"}
    assert restored.e_value == old.e_value > 1.0


@pytest.mark.parametrize("metric", ["failure", "latency", "cost"])
def test_one_that_is_worse_elsewhere_is_not(metric: str) -> None:
    test = promotion()
    fill(test, Random(42), units=2500, success=(0.6, 0.8), **{metric: 0.15})
    assert test.e_values["reward"] >= FIRST
    assert test.e_value == test.e_values[metric] < 1.0
    low, high = test.intervals()[metric]
    assert 0.0 < low < test.estimates()[metric] < high
    assert test.estimates()[metric] == pytest.approx(0.15, abs=0.05)


def test_before_the_first_unit_nothing_is_known() -> None:
    test = promotion()
    assert test.e_value == 1.0
    assert set(test.intervals().values()) == {(-1.0, 1.0)}
    assert set(test.estimates().values()) == {0.0}


def test_state_survives_json_and_goes_on() -> None:
    test = promotion()
    fill(test, Random(43), units=50, success=(0.6, 0.8))
    restored = PromotionTest.from_dict(json.loads(json.dumps(test.to_dict())))
    for each in (test, restored):
        fill(each, Random(44), units=50, success=(0.6, 0.8))
    assert restored.to_dict() == test.to_dict()
    assert restored.intervals() == test.intervals()


def test_values_beyond_the_budget_count_as_the_whole_budget() -> None:
    one, other = promotion(), promotion()
    one.add(True, 0.2, reward=0.5, quality=1.0, failed=False, latency_share=7.0, cost_share=1.5)
    other.add(True, 0.2, reward=0.5, quality=1.0, failed=False, latency_share=1.0, cost_share=1.0)
    assert one.to_dict() == other.to_dict()


def found(rng: Random, *, gain: float, delta: float, units: int = 900) -> tuple[bool, bool]:
    """Quality climbs from 0.4 to 0.9, the share from 0.05 to 0.5: whether our test and whether pooled means say yes."""
    comparison, sums, peeked = Comparison(delta), [[0.0, 0.0], [0.0, 0.0]], False
    for unit in range(units):
        progress = unit / units
        q, quality = 0.05 + 0.45 * progress, 0.4 + 0.5 * progress
        challenger = rng.random() < q
        value = float(rng.random() < quality + gain * challenger)
        comparison.add(challenger, q, value, "")
        sums[challenger][0] += value
        sums[challenger][1] += 1.0
        if comparison.e_value >= FIRST:
            return True, True
        peeked = peeked or (unit > 200 and _z(sums) > 1.64)
    return False, peeked


def _z(sums: list[list[float]]) -> float:
    means = [(total + 1.0) / (count + 2.0) for total, count in sums]
    spread = sum(mean * (1.0 - mean) / (count + 2.0) for mean, (_, count) in zip(means, sums, strict=True))
    return float((means[1] - means[0]) / np.sqrt(spread))


def test_drift_with_changing_shares_fools_pooled_means_but_not_the_test() -> None:
    rng, runs = Random(45), 150
    worse = [found(rng, gain=-0.03, delta=0.0) for _ in range(runs)]
    assert sum(ours for ours, _ in worse) <= most(runs, 1.0 / FIRST)
    assert sum(pooled for _, pooled in worse) > 0.5 * runs


def test_no_more_than_the_demanded_gain_is_seldom_enough() -> None:
    rng, runs = Random(46), 150
    assert sum(found(rng, gain=0.05, delta=0.05)[0] for _ in range(runs)) <= most(runs, 1.0 / FIRST)


@pytest.mark.parametrize(("success", "least", "conversations"), [((0.7, 0.8), 700, 1100), ((0.7, 0.9), 140, 220)])
def test_power_on_reward(success: tuple[float, float], least: int, conversations: int) -> None:
    rng, needed = Random(47), []
    for _ in range(60):
        comparison, unit = Comparison(0.01), 0
        while comparison.e_value < FIRST and unit < 3000:
            unit += 1
            challenger = rng.random() < 0.2
            comparison.add(challenger, 0.2, float(rng.random() < success[challenger]), "")
        needed.append(unit)
    assert least <= np.median(needed) <= conversations


def test_predictions_learn_by_intent_within_bounds() -> None:
    prediction = Prediction()
    assert prediction.of("refund") == 0.5
    for _ in range(200):
        prediction.add(1.0, "greeting")
        prediction.add(0.0, "refund")
    assert prediction.of("greeting") > 0.9
    assert prediction.of("refund") < 0.1
    assert prediction.of("") == pytest.approx(0.5, abs=0.01)
    for i in range(1000):
        prediction.add(1.0, f"intent {i}")
    assert len(prediction.intents) <= 256
