"""A new challenger's share grows with what is known of it."""

from itertools import pairwise

import pytest

from config.policy import BanditSettings
from gateway.pipeline.allocation import allocate
from policies.bandit import Posterior

SETTINGS = BanditSettings(production_share=0.8, floor=0.02, ramp=50)


def share(rewards: float, tries: int = 0, settings: BanditSettings = SETTINGS) -> float:
    """Of a challenger that is better beyond doubt, after so many rewards."""
    posteriors = {"p": Posterior(1.0, 999.0), "c": Posterior(1.0 + rewards, 1.0)}
    return allocate("p", ["c"], None, posteriors, settings, tries={"c": tries}, capped=(), kept=None).propensity("c")


def test_it_begins_at_the_floor_and_ends_at_the_budget() -> None:
    shares = [share(rewards) for rewards in range(0, 60, 5)]
    assert shares[0] == pytest.approx(0.02, abs=1e-6)
    assert shares[5] == pytest.approx(0.11, abs=1e-6)
    assert shares[10:] == pytest.approx([0.2, 0.2], abs=1e-6)
    assert all(before < after for before, after in pairwise(shares[:11]))


def test_each_try_before_doubles_the_way() -> None:
    assert share(25, 1) == pytest.approx(share(12.5), abs=1e-9)
    assert share(100, 2) == pytest.approx(share(25), abs=1e-9)


def test_without_a_ramp_the_budget_is_there_at_once() -> None:
    assert share(0, settings=BanditSettings(ramp=0)) > 0.19


def test_an_unknown_challenger_begins_at_the_floor() -> None:
    shares = allocate("p", ["c"], None, {}, SETTINGS, capped=(), kept=None)
    assert shares.propensity("c") == pytest.approx(0.02, abs=1e-9)
