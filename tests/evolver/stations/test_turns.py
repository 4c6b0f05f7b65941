"""Whose turn it is in canary: by expected gain, and by the proof that is still to come."""

from math import sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolver.stations.turns import FACTOR, GAINS, SCATTER, gives_way, posterior
from policies.evidence import threshold

GAIN = st.floats(0.001, 0.5)


def measured(estimate: float, ours: int, theirs: int) -> dict[str, object]:
    return {"units": [ours, theirs], "estimates": {"reward": estimate}}


def test_a_promise_stands_until_something_is_measured() -> None:
    assert posterior(0.07, {}) == posterior(0.07, measured(0.5, 40, 0)) == (0.07, sqrt(GAINS))


def test_the_estimate_counts_by_its_units() -> None:
    (few, unsure), (many, sure) = (posterior(0.1, measured(-0.1, 4 * n, n)) for n in (50, 5_000))
    assert sqrt(GAINS) > unsure > 3 * sure
    assert 0.0 < few < 0.1
    assert many == pytest.approx(-0.1, abs=0.03)


def test_expected_gains_are_less_wrong_than_promises_and_than_estimates() -> None:
    """Gains and promises drawn as assumed; 400 against 100 conversations measured."""
    rng, n = np.random.default_rng(7), 4_000
    promises = rng.normal(0.02, 0.03, n)
    gains = rng.normal(promises, sqrt(GAINS))
    estimates = rng.normal(gains, sqrt(SCATTER * (1 / 400 + 1 / 100)))
    guesses = np.array([posterior(p, measured(e, 400, 100))[0] for p, e in zip(promises, estimates, strict=True)])
    errors = [float(np.mean((one - gains) ** 2)) for one in (guesses, promises, estimates)]
    assert errors[0] < 0.8 * min(errors[1:])
    assert abs(float(np.mean(guesses - gains))) < 3 * sqrt(errors[0] / n)
    assert posterior(0.0, measured(0.0, 400, 100))[1] == pytest.approx(sqrt(errors[0]), rel=0.05)


@given(GAIN, st.floats(1.0, 19.0))
def test_nobody_gives_way_to_an_equal(gain: float, e_value: float) -> None:
    assert not gives_way(gain, gain, e_value=e_value, needed=20.0, next_needed=threshold(2, 0, 0.1))


@given(GAIN, GAIN, st.floats(0.01, 19.9), st.floats(0.01, 19.9))
def test_the_nearer_the_proof_the_less_is_given_way(a: float, b: float, e: float, f: float) -> None:
    near, far = max(e, f), min(e, f)
    assert gives_way(a, b, e_value=far, needed=20.0, next_needed=60.0) or not gives_way(
        a, b, e_value=near, needed=20.0, next_needed=60.0
    )


def test_the_rule_in_figures() -> None:
    fresh = {"e_value": 1.0, "needed": 20.0, "next_needed": 20.0}
    bound = 0.05 * FACTOR ** (1 / 3)
    assert not gives_way(0.05, 0.99 * bound, **fresh)
    assert gives_way(0.05, 1.01 * bound, **fresh)
    assert gives_way(-0.01, 0.01, **fresh)
    assert not gives_way(0.05, -0.01, **fresh)
    assert not gives_way(0.05, 0.10, e_value=18.0, needed=20.0, next_needed=60.0)
    assert not gives_way(0.05, 0.5, e_value=1e9, needed=20.0, next_needed=60.0)


def test_smiths_rule_brings_gains_sooner_than_first_come_first_served() -> None:
    """A queue of candidates, one proof after the other; compared is the gain that conversations have had of it."""
    rng, log_needed, horizon = np.random.default_rng(3), np.log(20.0), 20_000.0
    sooner = 0
    for _ in range(200):
        gains = rng.uniform(0.02, 0.2, 5)
        lasting = 2 * SCATTER * log_needed / gains**2

        def had(order: np.ndarray, gains: np.ndarray = gains, lasting: np.ndarray = lasting) -> float:
            ends = np.cumsum(lasting[order])
            return float(np.sum(gains[order] * np.maximum(horizon - ends, 0.0)))

        by_rule = had(np.argsort(-(gains**3)))
        sooner += by_rule >= had(np.arange(5))
    assert sooner >= 195
