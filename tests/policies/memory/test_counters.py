"""Hold-outs tell harm from hardness; without them nothing is said; what is old counts less."""

from random import Random

import pytest

from policies.bandit import Posterior
from policies.memory.counters import DOUBT, Counter, decay, quantile


def counted(rng: Random, *, shown: float, without: float, requests: int = 600, holdout: float = 0.2) -> Counter:
    """An entry whose requests succeed at one rate with it and at another without it."""
    total = Counter()
    for _ in range(requests):
        if rng.random() < holdout:
            total = total.plus(Counter(withheld=1.0, rewarded_without=float(rng.random() < without)))
        else:
            total = total.plus(Counter(retrieved=1.0, rewarded=float(rng.random() < shown)))
    return total


def test_an_entry_that_harms_is_found() -> None:
    rng = Random(5)
    found = sum(counted(rng, shown=0.5, without=0.8).harms for _ in range(40))
    assert found >= 38


def test_hard_questions_do_not_blame_their_entries() -> None:
    """40 entries that change nothing, of questions that mostly fail: at most 5 are blamed, by the binomial at 2.5 %."""
    rng = Random(6)
    assert sum(counted(rng, shown=0.2, without=0.2).harms for _ in range(40)) <= 5
    assert not any(counted(rng, shown=0.3, without=0.1).harms for _ in range(40))


def test_nothing_is_said_of_a_few_or_without_hold_outs() -> None:
    assert Counter(retrieved=1_000.0, rewarded=0.0).helps is None
    assert Counter(retrieved=19.0, withheld=500.0, rewarded_without=500.0).helps is None
    assert Counter(retrieved=20.0, withheld=5.0, rewarded_without=5.0).harms
    assert not Counter(retrieved=20.0, rewarded=20.0, withheld=5.0).harms


def test_the_lower_bound_ranks_the_proven_before_the_untried() -> None:
    proven, lucky, bad = Counter(100.0, 95.0), Counter(1.0, 1.0), Counter(100.0, 10.0)
    assert proven.lower > lucky.lower > Counter().lower == pytest.approx(0.05, abs=1e-3)
    assert lucky.lower > bad.lower


def test_what_harmed_long_ago_gets_another_try() -> None:
    once = Counter(retrieved=60.0, rewarded=5.0, withheld=15.0, rewarded_without=15.0)
    assert once.harms
    assert not Counter().plus(once, decay(2 * 86_400.0, 86_400.0)).harms
    assert decay(86_400.0, 86_400.0) == pytest.approx(0.5)
    assert decay(-5.0, 86_400.0) == 1.0
    assert 0.0 < DOUBT < 0.5


@pytest.mark.parametrize(
    ("posterior", "share", "expected"),
    [  # of tables: a uniform; Beta(1, n) and Beta(n, 1) in closed form; a symmetric one
        (Posterior(), 0.05, 0.05),
        (Posterior(1.0, 20.0), 0.05, 1 - 0.95 ** (1 / 20)),
        (Posterior(20.0, 1.0), 0.05, 0.05 ** (1 / 20)),
        (Posterior(8.0, 8.0), 0.5, 0.5),
        (Posterior(3_000.0, 1_000.0), 0.5, 0.75),
    ],
)
def test_quantiles(posterior: Posterior, share: float, expected: float) -> None:
    assert quantile(posterior, share) == pytest.approx(expected, abs=1e-3)
