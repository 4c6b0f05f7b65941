import json
from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammaln

from policies.evidence.sample_ratio import ALPHA, SampleRatio, Tilt
from tests.policies.evidence.worlds import most

ARMS = ("production", "candidate", "other")


def odds_at(unit: int) -> dict[str, float]:
    """Shares that ramp, and a third arm that comes later."""
    share = 0.02 + 0.3 * min(unit / 2000.0, 1.0)
    third = 0.05 if unit > 500 else 0.0
    return {"production": 1.0 - share - third, "candidate": share, "other": third}


def run(rng: np.random.Generator, units: int, *, wrong: float = 0.0, since: int = 0) -> tuple[SampleRatio, int | None]:
    """Draws in which, from unit `since` on, a part `wrong` of the candidate's draws goes to production."""
    test, fired = SampleRatio(), None
    for unit, draw in enumerate(rng.random(units)):
        odds = odds_at(unit)
        names = list(odds)
        arm = names[int(np.searchsorted(np.cumsum(list(odds.values()))[:-1], draw, side="right"))]
        if unit >= since and arm == "candidate" and rng.random() < wrong:
            arm = "production"
        test.add(arm, odds)
        if fired is None and test.fired:
            fired = unit
    return test, fired


def test_constant_odds_give_the_dirichlet_multinomial() -> None:
    rng, odds = np.random.default_rng(1), {"production": 0.7, "candidate": 0.2, "other": 0.1}
    p = np.array(list(odds.values()))
    tilt, logs, counts = Tilt(1.0), 0.0, np.zeros(3)
    for arm in rng.choice(3, size=400, p=[0.6, 0.3, 0.1]):
        logs += log(tilt.factor(ARMS[arm], odds))
        tilt.add(ARMS[arm], odds)
        counts[arm] += 1
    prior = 10.0 * p
    closed = gammaln(10.0) - gammaln(10.0 + 400) + (gammaln(prior + counts) - gammaln(prior)).sum()
    assert logs == pytest.approx(closed - (counts * np.log(p)).sum(), rel=1e-9)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4000)), max_size=40))
def test_the_next_draw_is_a_fair_game(past: list[tuple[int, int]]) -> None:
    test = SampleRatio()
    for arm, unit in past:
        odds = {name: p for name, p in odds_at(unit).items() if p > 0.0}
        test.add(list(odds)[arm % len(odds)], odds)
    odds = {"production": 0.55, "candidate": 0.25, "other": 0.2}
    mean = sum(
        p * sum(s * f for s, f in zip(test.shares, (1.0, *test._factors(arm, odds)), strict=True))
        for arm, p in odds.items()
    )
    assert mean == pytest.approx(1.0, abs=1e-9)


def test_sound_odds_that_change_all_the_time_hardly_ever_alarm() -> None:
    rng, runs = np.random.default_rng(2), 60
    e_values = [run(rng, 1500)[0] for _ in range(runs)]
    assert sum(test.fired for test in e_values) <= most(runs, ALPHA)
    # By Ville at most one in ten ever reaches 10: a bound that 60 runs can test.
    assert sum(exp(test.highest) >= 10.0 for test in e_values) <= most(runs, 0.1)


def test_a_lost_third_of_the_candidates_draws_is_noticed() -> None:
    rng = np.random.default_rng(3)
    found = [run(rng, 6000, wrong=0.35)[1] for _ in range(15)]
    assert all(unit is not None for unit in found)
    assert np.median([unit for unit in found if unit is not None]) < 3000


def test_odds_that_break_late_are_noticed_though_they_were_sound_for_long() -> None:
    rng = np.random.default_rng(4)
    found = [run(rng, 24_000, wrong=0.35, since=20_000)[1] for _ in range(5)]
    assert all(unit is not None and unit >= 20_000 for unit in found)


def test_every_gambler_keeps_some_capital() -> None:
    test, _ = run(np.random.default_rng(6), 20_000)
    assert min(test.shares) > 1e-3
    assert sum(test.shares) == pytest.approx(1.0)


def test_it_fires_at_the_limit_and_stays_fired() -> None:
    test, odds = SampleRatio(alpha=0.01), {"production": 0.8, "candidate": 0.2}
    while test.e_value < 100.0:
        assert not test.fired
        test.add("candidate", odds)
    assert test.fired
    rng = np.random.default_rng(7)
    while test.e_value >= 50.0:  # the candidate's surplus is made good
        test.add("candidate" if rng.random() < 0.05 else "production", odds)
    assert test.fired


def test_a_draw_that_was_impossible_is_proof() -> None:
    test = SampleRatio()
    test.add("candidate", {"production": 1.0, "candidate": 0.0})
    assert test.fired
    assert test.e_value > 1e100


def test_a_single_arm_says_nothing() -> None:
    test = SampleRatio()
    for _ in range(100):
        test.add("production", {"production": 1.0})
    assert test.e_value == 1.0
    assert test.units == 100


@pytest.mark.parametrize("odds", [{}, {"a": 0.5, "b": 0.4}, {"a": 1.2, "b": -0.2}])
def test_what_is_no_probability_is_refused(odds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="propensities"):
        SampleRatio().add("a", odds)


def test_state_survives_json_and_goes_on_alike() -> None:
    rng = np.random.default_rng(5)
    test, _ = run(rng, 300, wrong=0.5)
    restored = SampleRatio.from_dict(json.loads(json.dumps(test.to_dict())))
    for subject in (test, restored):
        subject.add("candidate", odds_at(300))
    assert restored.to_dict() == test.to_dict()
    assert restored.e_value == test.e_value
    assert set(test.counts()) == {"production", "candidate"}


def test_arms_that_come_and_go_leave_a_bounded_state() -> None:
    test = SampleRatio()
    for i in range(1000):
        test.add(f"arm {i}", {"production": 0.5, f"arm {i}": 0.5})
    assert all(len(tilt.expected) <= 256 for tilt in test.tilts)
