"""The improvement run: it begins where it says, and holds what came of it against the marks."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from config.loader import load
from loadtests.improve.report import Outcome, show
from loadtests.improve.run import configuration, improve
from loadtests.weak import GENOME

BEFORE = {"quality": 0.6, "p95_ms": 300.0, "cost_usd_per_request": 0.001, "robustness": 0.8}
AFTER = {"quality": 0.94, "p95_ms": 90.0, "cost_usd_per_request": 0.0001, "robustness": 0.97}


def figures(means: dict[str, float]) -> dict[str, Any]:
    return {name: {"mean": mean, "low": mean, "high": mean, "n": 900} for name, mean in means.items()}


def outcome(before: dict[str, float], after: dict[str, float], lost: int = 0) -> Outcome:
    found = {"before": figures(before), "after": figures(after), "records_lost": lost, "versions": []}
    return Outcome(1, found, {"v1.0": 0.0})


def test_the_marks_are_levels_and_shares_of_what_was_before() -> None:
    assert outcome(BEFORE, AFTER).passed
    assert not outcome(BEFORE, AFTER, lost=1).passed
    for name, missed in (("quality", 0.91), ("p95_ms", 125.0), ("cost_usd_per_request", 0.0005), ("robustness", 0.94)):
        marks = outcome(BEFORE, AFTER | {name: missed}).marks
        assert [mark for mark, reached in marks.items() if not reached] == [name]


def test_a_run_without_a_promotion_has_missed_them_all() -> None:
    found = {"before": {}, "after": {}, "records_lost": 0, "versions": []}
    assert not any(Outcome(1, found, {}).marks.values())
    show([Outcome(1, found, {})], Console(quiet=True))


def test_it_begins_with_the_poor_genome_under_the_demos_thresholds(tmp_path: Path) -> None:
    path = tmp_path / "improve.yaml"
    path.write_text(yaml.safe_dump(configuration("http://127.0.0.1:1/v1")), encoding="utf-8")
    (policy,) = load(path, {}).policies.values()
    assert policy.genome.strategy.model_key == GENOME["strategy"]["model_key"]
    assert policy.genome.prompt.cot
    assert policy.promotion.min_gain == type(policy.promotion)().min_gain
    assert policy.promotion.fdr == type(policy.promotion)().fdr


@pytest.mark.slow
async def test_a_short_run_comes_to_its_end_with_nothing_lost(tmp_path: Path) -> None:
    found = await improve(tmp_path, seed=2, minutes=0.4, closing_s=10.0, rate=10.0)
    assert found.found["requests"] > 100
    assert found.found["records_lost"] == 0
    assert "v1.0" in found.versions_at
