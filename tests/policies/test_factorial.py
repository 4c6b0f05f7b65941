"""Candidates of several layers at once: independent draws, one test per layer, and a rollback that names the layer."""

from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.assignment import Shares
from policies.bandit import Posterior
from policies.evidence import ExperimentEvidence
from policies.factorial import Design, propensity, share_of_each
from policies.genome import Genome, LayerName, MemoryLayer, PromptLayer, StrategyLayer

BASE = Genome()
PROMPT = BASE.model_copy(update={"prompt": PromptLayer.model_validate({"rubric": "Be brief."})})
OTHER = BASE.model_copy(update={"prompt": PromptLayer.model_validate({"rubric": "Be kind."})})
STRATEGY = BASE.model_copy(update={"strategy": StrategyLayer(temperature=0.1)})
MEMORY = BASE.model_copy(update={"memory": MemoryLayer(retriever_topk=3)})
CANDIDATES: list[tuple[LayerName, Genome]] = [("prompt", PROMPT), ("strategy", STRATEGY), ("memory", MEMORY)]


def draw(design: Design, *shares: float) -> Shares:
    """Each factor's candidates share its number equally."""
    layers = []
    for factor, share in zip(design.factors, shares, strict=True):
        each = share / len(factor)
        layers.append(Shares((design.production, *factor), (1.0 - share, *[each] * len(factor))))
    return design.joint(layers)


def test_every_combination_is_an_arm_with_the_layers_that_it_was_given() -> None:
    design = Design.of(BASE, [*CANDIDATES, ("prompt", OTHER)])
    assert [len(factor) for factor in design.factors] == [2, 1, 1]
    assert len({genome.content_hash for genome in design.arms.values()}) == 12
    cell = (PROMPT.content_hash, STRATEGY.content_hash, BASE.content_hash)
    assert design.arms[cell] == PROMPT.with_layer("strategy", STRATEGY)
    assert design.arms[(BASE.content_hash,) * 3] == BASE


def test_one_layer_is_todays_canary() -> None:
    design = Design.of(BASE, [("prompt", PROMPT)])
    assert draw(design, 0.2) == Shares((BASE.content_hash, PROMPT.content_hash), (0.8, 0.2))
    sides = design.sides(PROMPT.content_hash)
    assert sides == (frozenset({BASE.content_hash}), frozenset({PROMPT.content_hash}))
    with pytest.raises(KeyError):
        design.sides(STRATEGY.content_hash)


@given(st.lists(st.floats(0.01, 0.5), min_size=3, max_size=3))
def test_the_odds_of_a_layer_do_not_depend_on_the_others(shares: list[float]) -> None:
    design = Design.of(BASE, CANDIDATES)
    joint = draw(design, *shares)
    odds = dict(zip(joint.arms, joint.propensities, strict=True))
    assert sum(odds.values()) == pytest.approx(1.0)
    for (_, genome), share in zip(CANDIDATES, shares, strict=True):
        assert propensity(odds, design.sides(genome.content_hash)) == pytest.approx(share)
    for toggles in product((False, True), repeat=3):
        cell = tuple(
            g.content_hash if on else design.production for on, (_, g) in zip(toggles, CANDIDATES, strict=True)
        )
        expected = prod(share if on else 1.0 - share for on, share in zip(toggles, shares, strict=True))
        assert odds[design.arms[cell].content_hash] == pytest.approx(expected)


def test_alternatives_of_one_layer_exclude_each_other() -> None:
    design = Design.of(BASE, [("prompt", PROMPT), ("prompt", OTHER), ("strategy", STRATEGY)])
    joint = draw(design, 0.4, 0.3)
    odds = dict(zip(joint.arms, joint.propensities, strict=True))
    without, with_it = design.sides(PROMPT.content_hash)
    assert not without & with_it
    assert all(OTHER.with_layer("strategy", layer).content_hash not in without | with_it for layer in (BASE, STRATEGY))
    assert propensity(odds, (without, with_it)) == pytest.approx(0.2 / 0.8)


def test_production_keeps_its_share_over_all_factors() -> None:
    for factors in (1, 2, 3):
        assert share_of_each(0.8, factors) ** factors == pytest.approx(0.8)


def test_a_candidates_rewards_are_those_of_all_its_arms() -> None:
    design = Design.of(BASE, CANDIDATES[:2])
    both = PROMPT.with_layer("strategy", STRATEGY).content_hash
    known = {BASE.content_hash: Posterior(5, 2), PROMPT.content_hash: Posterior(3, 1), both: Posterior(1, 4)}
    assert design.marginal(0, known) == {BASE.content_hash: Posterior(5, 2), PROMPT.content_hash: Posterior(3, 4)}
    assert design.marginal(1, known) == {BASE.content_hash: Posterior(7, 2), STRATEGY.content_hash: Posterior(1, 4)}


def test_a_side_that_can_not_be_drawn_gives_no_comparison() -> None:
    assert propensity({"a": 1.0}, (frozenset({"a"}), frozenset({"b"}))) is None


@pytest.mark.parametrize("harmful", [0, 1, None])
def test_the_rollback_names_the_layer(harmful: int | None) -> None:
    """Two candidates at once; only the harmful one's own process crosses, and neither does where both are harmless."""
    rng, design = np.random.default_rng(5), Design.of(BASE, CANDIDATES[:2])
    joint = draw(design, 0.3, 0.3)
    odds = dict(zip(joint.arms, joint.propensities, strict=True))
    sides = [design.sides(genome.content_hash) for _, genome in CANDIDATES[:2]]
    crossed = np.zeros(2)
    for _ in range(30):
        tests = [ExperimentEvidence(str(i), alpha=0.01, ratio=2.0, window_s=3600.0, deadline_s=60.0) for i in (0, 1)]
        for unit, at in enumerate(rng.choice(len(joint.arms), 900, p=joint.propensities)):
            arm = joint.arms[at]
            harm = harmful is not None and arm in sides[harmful][1]
            failure = "refusal" if rng.random() < (0.25 if harm else 0.05) else None
            for test, (without, with_it) in zip(tests, sides, strict=True):
                q = propensity(odds, (without, with_it))
                assert q is not None
                test.assigned(str(unit), at=1e9 + unit, challenger=arm in with_it, q=q)
                test.settled(str(unit), failure, now=1e9 + unit)
        for i, test in enumerate(tests):
            test.advance(1e9 + 2000)
            crossed[i] += test.decision().rolls_back
    for i in (0, 1):
        assert crossed[i] >= 28 if i == harmful else crossed[i] <= 3
