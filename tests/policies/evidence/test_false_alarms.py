"""An identical candidate is hardly ever accused: crossings of E alone, as the verdict's "and" would hide errors."""

import numpy as np
import pytest

from loadtests.evidence.rates import RATES as WORLDS
from loadtests.evidence.rates import constant
from policies.evidence.noharm import Wealth
from policies.evidence.settlement import Roll, Settlement
from tests.policies.evidence.worlds import (
    adaptive,
    away_from_failures,
    crossed,
    identical,
    most,
)

RUNS = 400
UNITS = 4000


@pytest.mark.parametrize("world", WORLDS)
def test_identical_candidate(world: str) -> None:
    rng = np.random.default_rng(21)
    shares = np.linspace(0.02, 0.5, UNITS)  # the share ramps up meanwhile
    challenger, failed = identical(rng, WORLDS[world](0.03, UNITS), shares, RUNS)
    for alpha in (0.01, 0.05):
        for rho in (1, 2):
            accused = crossed(challenger, failed, shares[:, None], rho=rho, alpha=alpha).sum()
            assert accused <= most(RUNS, alpha), (world, rho, alpha)


def test_identical_candidate_whose_share_follows_its_failures() -> None:
    rng = np.random.default_rng(22)
    challenger, failed, shares = adaptive(rng, constant(0.05, UNITS), RUNS, away_from_failures)
    assert crossed(challenger, failed, shares, rho=1, alpha=0.05).sum() <= most(RUNS, 0.05)


def test_a_candidate_at_twice_the_failures_is_not_called_severe() -> None:
    rng = np.random.default_rng(23)
    challenger = rng.random((UNITS, RUNS)) < 0.2
    failed = rng.random(challenger.shape) < np.where(challenger, 0.06, 0.03)
    assert crossed(challenger, failed, 0.2, rho=2, alpha=0.05).sum() <= most(RUNS, 0.05)
    assert crossed(challenger, failed, 0.2, rho=1, alpha=0.05).mean() > 0.8  # though it is seen to be worse


def test_the_literal_rule_alone_accuses_every_other_time() -> None:
    rng = np.random.default_rng(24)
    challenger, failed = identical(rng, constant(0.02, 3600), np.full(3600, 0.2), RUNS)
    units, failures = (
        np.stack([np.cumsum(w & arm, axis=0) for arm in (~challenger, challenger)]) for w in (True, failed)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = failures / units
        exceeded = (rates[1] > 2.0 * rates[0]) & (units[1] >= 20) & (failures[1] > 0)
    assert 0.35 < exceeded.any(axis=0).mean() < 0.65


def skewed(rng: np.random.Generator, *, in_order: bool) -> bool:
    """Equal rates, but a failure takes 1 s on the candidate and 60 s on production; True where E >= 100."""
    wealth, roll = Wealth(), Roll(120.0)
    queue = Settlement(roll, expired="expired")
    outcomes = []
    for i in range(1500):
        at, challenger, failed = i * 0.1, bool(rng.random() < 0.2), bool(rng.random() < 0.05)
        delay = (1.0 if challenger else 60.0) if failed else 0.5
        roll.assigned(str(i), at, challenger, 0.2)
        outcomes.append((at + delay, str(i), challenger, failed))
    accused = False
    for now, name, challenger, failed in sorted(outcomes):
        queue.settle(name, "transport" if failed else None, now)
        settled = (
            [(u.challenger, u.failure is not None) for u in queue.ready(now)] if in_order else [(challenger, failed)]
        )
        for unit in settled:
            wealth.add(unit[0], 0.2, unit[1])
            accused = accused or (unit[1] and wealth.e_value(1) >= 100.0)
    return accused


def test_assignment_order_withstands_skewed_delays_where_arrival_order_does_not() -> None:
    runs = 100
    rng = np.random.default_rng(25)
    assert sum(skewed(rng, in_order=True) for _ in range(runs)) <= most(runs, 0.01)
    assert sum(skewed(rng, in_order=False) for _ in range(runs)) >= 0.5 * runs


@pytest.mark.slow
@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("share", [0.02, 0.1, 0.2, 0.5, None])
@pytest.mark.parametrize("p0", [0.001, 0.01, 0.05, 0.2])
def test_matrix(world: str, share: float | None, p0: float) -> None:
    runs, units = 1000, 6000
    rng = np.random.default_rng(26)
    rates = WORLDS[world](p0, units)
    if share is None:
        challenger, failed, shares = adaptive(rng, rates, runs, away_from_failures)
    else:
        challenger, failed = identical(rng, rates, np.full(units, share), runs)
        shares = np.full((units, 1), share)
    assert crossed(challenger, failed, shares, rho=1, alpha=0.01).sum() <= 21
    assert crossed(challenger, failed, shares, rho=1, alpha=0.05).sum() <= 73
