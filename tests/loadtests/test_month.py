"""The month: its calendar is a function of the day, its clock scales no thresholds, and it comes to its end."""

from pathlib import Path
from random import Random

import pytest
import yaml

from config import builtin
from config.loader import load
from gateway.sandbox.rules import HARMFUL_RULE
from gateway.sandbox.tasks import MIX
from loadtests.month.__main__ import play
from loadtests.month.configuration import configuration
from loadtests.month.oracle import MOST, Oracle, Truth
from loadtests.month.plan import CAMPAIGN, DAYS, LAUNCHES, MARK, injecting, injection, mix
from policies.genome import PromptLayer
from policies.lint import lint_text


def test_what_is_asked_drifts_and_stays_a_distribution() -> None:
    days = [mix(day / 2) for day in range(int(2 * DAYS))]
    for weights in days:
        assert sum(weights.values()) == pytest.approx(1.0)
        assert min(weights.values()) >= 0.0
    for family in MIX:
        shares = [weights[family] for weights in days]
        assert max(shares) > 1.5 * min(shares)
        assert all(weights[family] > 0.0 for weights in days[int(2 * LAUNCHES.get(family, 0.0)) + 1 :])


def test_injections_come_in_the_campaign_only() -> None:
    assert [injecting(day) for day in (0.0, CAMPAIGN[0], CAMPAIGN[1], 29.0)] == [False, True, False, False]
    rng = Random(1)
    texts = {injection(rng).replace("\u200b", " ").lower() for _ in range(500)}
    assert len(texts) >= 50
    assert all(MARK in text for text in texts)
    assert not any(MARK in text for text in ("Answer with the label alone.", "Give dates as 2025-01-31."))
    assert all(isinstance(lint_text(text), list) for text in texts)


def test_the_clock_scales_periods_and_no_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "month.yaml"
    path.write_text(yaml.safe_dump(configuration("http://127.0.0.1:1/v1", 10.0)), encoding="utf-8")
    scaled = load(path, {})
    demo = load(builtin.path("demo"), {"EVOGATE_SANDBOX": "http://127.0.0.1:1/v1"})
    (ours,), (theirs,) = scaled.policies.values(), demo.policies.values()
    assert (scaled.evolver.analyze_every_s, scaled.evolver.evolve_every_s) == (10.0, 30.0)
    assert scaled.evolver.triggers.days * 86_400.0 == pytest.approx(620.0)
    for name in ("min_gain", "fdr", "non_inferiority"):
        assert getattr(ours.promotion, name) == getattr(theirs.promotion, name)
    assert (ours.breaker.alpha, ours.breaker.ratio) == (theirs.breaker.alpha, theirs.breaker.ratio)
    assert ours.reward.gates == theirs.reward.gates
    assert scaled.evolver.triggers.performance == demo.evolver.triggers.performance
    assert scaled.evolver.judge.threshold == demo.evolver.judge.threshold


@pytest.mark.parametrize(
    ("low", "high", "tasks", "verdict"),
    [(0.01, 0.05, 800, "true"), (-0.05, -0.01, 800, "false"), (-0.01, 0.02, 800, "unclear"), (0.0, 0.0, MOST, "false")],
)
def test_a_promotion_that_gains_nothing_is_false(low: float, high: float, tasks: int, verdict: str) -> None:
    assert Truth(0.5, 0.5, (low + high) / 2, low, high, tasks).verdict == verdict


@pytest.mark.slow
async def test_the_oracle_knows_harm_from_help() -> None:
    demo = load(builtin.path("demo"), {"EVOGATE_SANDBOX": "http://127.0.0.1:1/v1"})
    (policy,) = demo.policies
    base = demo.policies[policy].genome
    harmful = base.model_copy(update={"prompt": PromptLayer.model_validate({"rubric": ["Be kind.", HARMFUL_RULE]})})
    oracle = Oracle(demo, policy, 3)
    assert (await oracle.compare(base, harmful, 1.0)).verdict == "false"
    assert (await oracle.compare(harmful, base, 1.0)).verdict == "true"


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_short_month_ends_without_a_false_promotion(tmp_path: Path) -> None:
    found = await play(tmp_path, day_s=4.0, rate=40.0, seed=2, wanted=0)
    assert found.false == 0
    assert found.injected == 0
    assert found.traffic["injections"] > 20
    assert found.cycles["resumed"] >= 1
    assert found.cycles["ended"] >= 5
    assert found.passed
