from math import fsum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta

from policies.bandit import Posterior, probability_best, shares

WEIGHTS = st.floats(1.0, 5000.0)
POSTERIORS = st.lists(st.builds(Posterior, WEIGHTS, WEIGHTS), min_size=2, max_size=6)


def oracle(posteriors: list[Posterior]) -> list[float]:
    """Adaptive quadrature over scipy's densities and distribution functions, in quantiles of each arm."""
    found = []
    for arm, ours in enumerate(posteriors):
        others = [p for i, p in enumerate(posteriors) if i != arm]

        def integrand(level: float, ours: Posterior = ours, others: list[Posterior] = others) -> float:
            x = beta.ppf(level, ours.alpha, ours.beta)
            return float(np.prod([beta.cdf(x, p.alpha, p.beta) for p in others]))

        found.append(quad(integrand, 0.0, 1.0, limit=400, epsabs=1e-8)[0])
    return found


CASES = [
    [(1, 1), (1, 1)],
    [(3, 7), (5, 5), (2, 9)],
    [(800, 200), (82, 18)],
    [(80_000, 20_000), (1, 1)],  # one arm is known, the other is not
    [(80_000, 20_000), (79_800, 20_200), (8, 2)],
    [(1, 500), (1, 400), (2, 700)],
    [(500, 1), (30, 1)],
    [(1.5, 3.25), (2.75, 4.5), (1.125, 1.5), (9.5, 11.0)],
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_probabilities_are_scipys(case: list[tuple[float, float]]) -> None:
    posteriors = [Posterior(a, b) for a, b in case]
    assert probability_best(posteriors) == pytest.approx(oracle(posteriors), abs=5e-5)


def test_probabilities_are_the_frequencies_of_thompson_sampling() -> None:
    rng = np.random.default_rng(81)
    posteriors = [Posterior(40, 10), Posterior(12, 4), Posterior(30, 6)]
    draws = np.stack([rng.beta(p.alpha, p.beta, 200_000) for p in posteriors])
    frequencies = np.bincount(draws.argmax(axis=0), minlength=3) / 200_000
    assert probability_best(posteriors) == pytest.approx(frequencies, abs=0.004)


@given(POSTERIORS)
def test_probabilities_sum_to_one_and_follow_the_arms_around(posteriors: list[Posterior]) -> None:
    found = probability_best(posteriors)
    assert fsum(found) == pytest.approx(1.0, abs=1e-9)
    assert probability_best(posteriors[::-1]) == pytest.approx(found[::-1], abs=1e-9)


def test_alone_an_arm_is_the_best() -> None:
    assert probability_best([Posterior(2, 5)]).tolist() == [1.0]


@given(
    POSTERIORS,
    st.floats(0.5, 0.99),
    st.floats(0.001, 0.2),
    st.sets(st.integers(1, 5)),
)
def test_shares_keep_their_promises(
    posteriors: list[Posterior], production_share: float, floor: float, suspects: set[int]
) -> None:
    arms = [f"arm{i}" for i in range(len(posteriors))]
    capped = {f"arm{i}" for i in suspects}
    granted = shares(
        arms[0],
        arms[1:],
        dict(zip(arms, posteriors, strict=True)),
        production_share=production_share,
        floor=floor,
        capped=capped,
    )
    least = min(floor, (1.0 - production_share) / (len(arms) - 1))
    assert granted.arms == tuple(arms)
    assert fsum(granted.propensities) == sum(granted.propensities) == 1.0  # exactly
    assert granted.propensities[0] >= production_share - 1e-12
    for arm, propensity in zip(granted.arms[1:], granted.propensities[1:], strict=True):
        assert propensity >= least - 1e-11
        if arm in capped:
            assert propensity == pytest.approx(least, abs=1e-11)


def test_a_new_challenger_gets_the_whole_budget_and_a_bad_one_the_floor() -> None:
    known = Posterior(80, 20)
    fresh = shares("p", ["c"], {"p": known}, production_share=0.8, floor=0.02)
    assert fresh.propensity("c") == pytest.approx(0.2, abs=1e-9)
    weak = Posterior(10, 10)
    between = shares("p", ["c"], {"p": known, "c": weak}, production_share=0.5, floor=0.02)
    assert between.propensity("c") == pytest.approx(0.02 + 0.96 * probability_best([known, weak])[1], abs=1e-9)
    bad = shares("p", ["c"], {"p": Posterior(800, 200), "c": Posterior(20, 80)}, production_share=0.8, floor=0.02)
    assert bad.propensity("c") == pytest.approx(0.02, abs=1e-6)
    good = shares("p", ["c"], {"p": Posterior(20, 80), "c": Posterior(800, 200)}, production_share=0.8, floor=0.02)
    assert good.propensity("c") == pytest.approx(0.2, abs=1e-9)


def test_without_budget_or_challengers_production_takes_all() -> None:
    assert shares("p", [], {}, production_share=0.8, floor=0.02).propensities == (1.0,)
    assert shares("p", ["c"], {}, production_share=1.0, floor=0.02).arms == ("p",)


def test_floors_that_do_not_fit_shrink() -> None:
    granted = shares("p", list("abcdefghij"), {}, production_share=0.9, floor=0.02)
    assert granted.propensities[1:] == pytest.approx([0.01] * 10, abs=1e-11)


def test_posteriors_learn_merge_and_shrink() -> None:
    one = Posterior().update(1.0).update(0.25)
    assert (one.alpha, one.beta) == (2.25, 1.75)
    assert one.mean == pytest.approx(0.5625)
    assert one.weight == 4.0
    merged = one.merge(Posterior().update(0.0))
    assert (merged.alpha, merged.beta) == (2.25, 2.75)
    fresh = Posterior().shrunk(0.9, 10.0)
    assert fresh.alpha == pytest.approx(9.0)
    assert fresh.beta == pytest.approx(1.0)


def test_common_drift_is_no_arms_merit() -> None:
    """Rewards fall from 0.9 to 0.3 for both arms; the one that is drawn late must not look worse."""
    rng = np.random.default_rng(82)
    plain, adjusted = [Posterior(), Posterior()], [Posterior(), Posterior()]
    baseline = 0.9
    for unit in range(4000):
        arm = int(rng.random() < (0.1 if unit < 2000 else 0.9))
        reward = float(rng.random() < 0.9 - 0.6 * unit / 4000)
        plain[arm] = plain[arm].update(reward)
        adjusted[arm] = adjusted[arm].update(reward, baseline)
        baseline += 0.02 * (reward - baseline)
    assert plain[0].mean - plain[1].mean > 0.2
    assert abs(adjusted[0].mean - adjusted[1].mean) < 0.05


def test_a_ceiling_holds_an_arm_and_leaves_the_rest_to_production() -> None:
    known = {"p": Posterior(80, 20)}
    granted = shares("p", ["c", "d"], known, production_share=0.5, floor=0.02, ceilings={"c": 0.05})
    assert granted.propensity("c") == pytest.approx(0.05, abs=1e-9)
    assert granted.propensity("d") > 0.05
    assert granted.propensity("p") >= 0.5 - 1e-12
    low = shares("p", ["c"], known, production_share=0.8, floor=0.02, ceilings={"c": 0.0})
    assert low.propensity("c") == pytest.approx(0.02, abs=1e-9), "no arm is below its floor"
