"""The comparison of optimizers: paired, within its calls, honest about what it does not have, and able to tell."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from evolver.search import Score
from loadtests.optimize import __main__ as command
from loadtests.optimize import bank_world
from loadtests.optimize.bank_world import FILE, BankWorld, bank
from loadtests.optimize.compare import Run, interval, paired, runs
from loadtests.optimize.optimizers import OPTIMIZERS
from loadtests.optimize.report import tables
from loadtests.optimize.sandbox_world import SandboxWorld
from loadtests.optimize.worlds import makers
from policies.genome import PromptLayer, Rule

PROMPTS = {f"Prompt number {i}.": 0.5 + i / 100 for i in range(40)}


def small_bank(seed: int) -> BankWorld:
    return BankWorld("task x model", PROMPTS, seed)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_keeps_to_its_calls_and_returns_what_there_is(name: str) -> None:
    (run,) = runs(small_bank, [3], 250, {name: OPTIMIZERS[name]})
    assert run.overshoot == 0
    assert run.true in PROMPTS.values()
    assert math.isnan(run.reported) or 0 <= run.reported <= 1.2


@pytest.mark.parametrize("name", ["EvoGate search", "GRPO"])
def test_the_sandbox_is_improved_within_the_calls(name: str) -> None:
    found = runs(SandboxWorld, range(3), 300, {name: OPTIMIZERS[name]})
    assert {run.overshoot for run in found} == {0}
    assert np.mean([run.true - run.base for run in found]) > 0.08


def test_the_same_seed_gives_the_same_run() -> None:
    search = {"EvoGate search": OPTIMIZERS["EvoGate search"]}
    assert runs(SandboxWorld, [5], 150, search) == runs(SandboxWorld, [5], 150, search)


async def test_the_truth_of_the_sandbox_is_not_what_it_was_searched_on() -> None:
    world = SandboxWorld(1)
    before = world.truth(world.base)
    scores = await world.evaluate(world.base, world.examples)
    assert world.calls == len(world.examples) == len(scores)
    assert all(isinstance(score, Score) and score.latency_ms > 0 and score.cost_usd > 0 for score in scores)
    assert world.truth(world.base) == before  # a report asks nothing of the searched provider
    good = PromptLayer(rubric=(Rule.model_validate("Work through arithmetic problems step by step."),))
    assert world.truth(world.base.model_copy(update={"prompt": good})) > before


async def test_draws_of_the_bank_follow_the_recorded_means() -> None:
    world = small_bank(0)
    rule = Rule(id="prompt", text="Prompt number 30.")
    genome = world.base.model_copy(update={"prompt": PromptLayer(rubric=(rule,))})
    scores = await world.evaluate(genome, world.examples)
    mean = np.mean([score.quality for score in scores])
    assert abs(mean - 0.8) < 3.3 * math.sqrt(0.8 * 0.2 / len(scores))
    assert scores == await world.evaluate(genome, world.examples)


@pytest.mark.skipif(not FILE.exists(), reason=f"{FILE} is not there")
def test_no_world_of_the_bank_both_tunes_and_reports() -> None:
    tuning, reporting = bank(reporting=False), bank()
    assert tuning
    assert reporting
    assert not tuning.keys() & reporting.keys()


def test_a_missing_bank_is_left_out_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bank_world, "FILE", tmp_path / "none")
    assert makers(["bank"]) == {}
    assert "left out" in capsys.readouterr().err


def test_the_table_says_wins_ties_losses_and_intervals() -> None:
    found = [
        Run("sandbox", name, 300, seed, true, 0.5, true + 0.1, 0)
        for seed in range(4)
        for name, true in (("EvoGate search", 0.8), ("random search", 0.7 if seed else 0.9))
    ]
    differences = paired(found, "EvoGate search", "random search")
    assert [pytest.approx(-0.1)] == differences[0]
    assert [pytest.approx(0.1)] == differences[3]
    table = tables(found)
    assert "3/0/1" in table
    assert "+0.050 [-0.109, +0.209]" in table
    assert "+0.100 [+0.100, +0.100]" in table


def test_the_runs_of_one_seed_count_as_one() -> None:
    found = [
        Run("sandbox", name, calls, seed, true + seed / 10, 0.5, true, 0)
        for seed in range(2)
        for calls in (300, 600)
        for name, true in (("EvoGate search", 0.8), ("random search", 0.7 - seed / 10))
    ]
    low = interval([0.1, 0.2]).low
    assert f"[{low:+.3f}, " in tables(found)


def test_intervals_are_students() -> None:
    made = interval([1.0, 2.0, 3.0])
    assert made.mean == 2.0
    assert made.low == pytest.approx(2.0 - 4.302653 / math.sqrt(3))
    assert interval([1.0]).high == math.inf


def test_the_command_prints_tables_or_runs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--worlds", "sandbox", "--only", "random search", "EvoGate search", "--seeds", "2", "--calls", "60"]
    assert command.main(options) == 0
    assert "| EvoGate search |" in capsys.readouterr().out
    assert command.main([*options, "--json"]) == 0
    assert {run["calls"] for run in json.loads(capsys.readouterr().out)} == {60}
