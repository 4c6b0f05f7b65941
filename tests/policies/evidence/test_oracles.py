"""The same figures by other means: exact arithmetic, enumeration and quadrature for the martingales and intervals, and
other people's code, mabwiser and river, for Thompson sampling.
"""

from fractions import Fraction
from itertools import product
from math import exp, log, log1p, sqrt
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq, minimize_scalar

from loadtests.evidence.routing import RECORDED, Free, Mabwiser, River, held_out, play
from policies.bandit import Posterior, probability_best
from policies.evidence import ConfidenceSequence
from policies.evidence.noharm import BETS, Wealth, log_factors

HALF = 1_000


@pytest.mark.parametrize("rho", [1, 2])
def test_the_no_harm_wealth_is_the_product_of_its_bets_in_exact_arithmetic(rho: int) -> None:
    """From the definition, X = A F/q - rho (1 - A) F/(1 - q) and 1 + lambda X, as fractions that are never rounded."""
    rng, q = np.random.default_rng(1), Fraction(1, 5)
    drawn = zip((rng.random(400) < 0.2).tolist(), (rng.random(400) < 0.1).tolist(), strict=True)
    wealth, exact = Wealth(), [Fraction(1) for _ in BETS]
    for arm, failed in drawn:
        wealth.add(arm, float(q), failed)
        x = Fraction(failed) * (1 / q if arm else -rho / (1 - q))
        exact = [
            value * (1 + _bet(Fraction(target), rho, q) * x) for value, (_, target) in zip(exact, BETS, strict=True)
        ]
    compared = 0
    for log_wealth, value, (each, _) in zip(wealth.logs, exact, BETS, strict=True):
        if each == rho:
            compared += 1
            assert exp(log_wealth) == pytest.approx(float(value), rel=1e-9)
    assert compared >= 3


def _bet(target: Fraction, rho: int, q: Fraction) -> Fraction:
    return (target - rho) / rho * q * (1 - q) / (target * q + 1 - q)


@pytest.mark.parametrize("q", [0.02, 0.2, 0.5])
def test_each_bet_is_the_one_that_grows_fastest_where_its_target_is_the_truth(q: float) -> None:
    """Maximised numerically: of all failures, the share r q/(r q + 1 - q) is the candidate's."""
    production, challenger = log_factors(q)
    for ours, theirs, (rho, target) in zip(challenger, production, BETS, strict=True):
        share = target * q / (target * q + 1.0 - q)

        def loss(bet: float, rho: int = rho, share: float = share) -> float:
            return -share * log1p(bet / q) - (1.0 - share) * log1p(-bet * rho / (1.0 - q))

        best = minimize_scalar(loss, bounds=(0.0, (1.0 - q) / rho * (1.0 - 1e-9)), method="bounded")
        assert share * ours + (1.0 - share) * theirs == pytest.approx(-best.fun, rel=1e-6)


def test_the_confidence_sequence_covers_in_every_case_that_there_is() -> None:
    """All 2^12 sequences with their probabilities: no sampling. The process behind it is a supermartingale from 1."""
    units, alpha = 12, 0.05
    for mean in (0.05, 0.5, 0.7):
        expected, missed = [0.0, 0.0], 0.0
        for path in product((0.0, 1.0), repeat=units):
            ones = sum(path)
            probability = mean**ones * (1.0 - mean) ** (units - ones)
            sequence, outside = ConfidenceSequence(), False
            for value in path:
                sequence.add(value, 0.0, 1.0)
                low, high = sequence.interval(alpha)
                outside |= not low <= mean <= high
            missed += probability * outside
            for side, sign in enumerate((1.0, -1.0)):
                drift = sign * (sequence.weighted - sequence.weights * mean)
                expected[side] += probability * exp(drift - sequence.penalty)
        assert max(expected) <= 1.0 + 1e-12
        assert missed <= alpha


def test_the_confidence_sequence_is_as_tight_as_the_exact_mixture() -> None:
    """Robbins' for yes and no: the likelihood, integrated over all means by quadrature, against that of one mean."""
    rng = np.random.default_rng(2)
    for mean in (0.1, 0.5, 0.9):
        x = (rng.random(3_000) < mean).astype(float)
        ours = ConfidenceSequence()
        for value in x.tolist():
            ours.add(value, 0.0, 1.0)
        low, high = _mixture(int(x.sum()), len(x), 0.05)
        span = ours.interval(0.05)
        assert span.low <= mean <= span.high
        assert low <= mean <= high
        assert 0.9 < (span.high - span.low) / (high - low) < 1.5, "ours does not know that it is yes or no"


def _mixture(ones: int, units: int, alpha: float) -> tuple[float, float]:
    """The means whose likelihood is more than `alpha` times the average over all means."""
    found = ones / units
    at_best = ones * log(found) + (units - ones) * log(1.0 - found)

    def relative(mean: float) -> float:
        return ones * log(mean) + (units - ones) * log(1.0 - mean) - at_best

    near = 12.0 * sqrt(found * (1.0 - found) / units)
    edges = max(found - near, 1e-12), min(found + near, 1.0 - 1e-12)
    average, _ = quad(lambda mean: exp(relative(mean)), *edges)

    def excess(mean: float) -> float:
        return relative(mean) - log(alpha * average)

    return float(brentq(excess, edges[0], found)), float(brentq(excess, found, edges[1]))


@pytest.mark.parametrize("make", [Mabwiser, River])
def test_the_probability_of_being_best_is_how_often_others_draw_that_arm(make: Any) -> None:
    player, known = make(np.random.default_rng(3)), [Posterior(), Posterior()]
    for arm, rewards in ((0, [1.0] * 12 + [0.0] * 6), (1, [1.0] * 8 + [0.0] * 3)):
        for reward in rewards:
            player.hear(arm, reward)
            known[arm] = known[arm].update(reward)
    drawn = sum(player.pull() for _ in range(4 * HALF)) / (4 * HALF)
    # mabwiser was told one failure of each arm to begin with; that is less than the tolerance.
    assert probability_best(known)[1] == pytest.approx(drawn, abs=0.05)


@pytest.mark.skipif(not RECORDED.exists(), reason=f"no recorded outcomes at {RECORDED}")
def test_on_recorded_outcomes_the_regret_is_that_of_others() -> None:
    rewards = held_out()
    assert 6_000 < len(rewards) < 8_000
    ours = play(Free, rewards, 6)
    assert ours.best_share > 0.8
    for make in (Mabwiser, River):
        theirs = play(make, rewards, 3)
        assert ours.regret < 2.0 * theirs.regret + 3.0 * (ours.regret_sd + theirs.regret_sd)
