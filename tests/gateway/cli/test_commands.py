"""The commands on a data folder made for them, in processes of their own, as an operator runs them."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.versions import differences
from policies.genome import Genome, Lineage, PromptLayer, Rule, StrategyLayer
from policies.registry import open_registry
from policies.registry.values import Candidate

SEED = Lineage(source="seed")
BASE = Genome(prompt=PromptLayer(rubric=(Rule(id="a", text="Be right."),)), strategy=StrategyLayer(temperature=0.7))
BETTER = BASE.model_copy(update={"prompt": PromptLayer(rubric=(*BASE.prompt.rubric, Rule(id="b", text="Be brief.")))})
CANDIDATE = Candidate(
    id="cafe0001", policy="support", layer="prompt", genome=BETTER, base="v1.0", lineage=Lineage(source="patch"),
    state="proposed", state_since=1.0, created_at=1.0,
)  # fmt: skip


def evogate(home: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("EVOGATE_")}
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        env={**clean, "EVOGATE_HOME": str(home), **environ},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def answer(home: Path, *arguments: str) -> Any:
    done = evogate(home, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


async def furnish(home: Path) -> None:
    async with open_registry(home) as registry:
        await registry.set_state("policies", {"names": ["support"]})
        first = await registry.add_version("support", BASE, SEED, who="config", why="first start", now=1.0)
        await registry.move("support", first.label, expected_revision=0, who="config", why="first start", now=1.0)
        await registry.add_candidate(CANDIDATE)


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    await furnish(tmp_path)
    return tmp_path


def test_without_data_every_command_says_what_to_do(tmp_path: Path) -> None:
    for command in ("status", "history", "findings", "experiments", "incidents", "freeze", "trigger", "records"):
        done = evogate(tmp_path, command)
        assert done.returncode == 2, command
        assert done.stderr.count("\n") == 1
        assert "start `evogate up`" in done.stderr


def test_history_show_and_diff(home: Path) -> None:
    answer(home, "promote", "cafe", "--why", "trust me")
    versions = answer(home, "history")
    assert [v["version"] for v in versions] == ["v1.0", "v1.1"]
    assert versions[1]["in_production"]
    assert "trust me" in versions[1]["why"]
    assert json.loads(evogate(home, "show", "v1.1").stdout)["genome"] == BETTER.canonical()
    assert answer(home, "diff", "v1.0", "v1.1") == [{"gene": "prompt.rubric.b", "before": None, "after": "Be brief."}]


async def test_a_rollback_of_one_layer_leaves_the_other_two(home: Path) -> None:
    async with open_registry(home) as registry:
        genome = BETTER.model_copy(update={"strategy": StrategyLayer(temperature=0.1)})
        made = await registry.add_version("support", genome, SEED, who="test", why="both layers", now=2.0)
        await registry.move("support", made.label, expected_revision=1, who="test", why="both layers", now=2.0)
    said = answer(home, "rollback", "v1.0", "--layer", "prompt", "--why", "too brief")
    assert said["version"] == "v1.2"
    genome = Genome.model_validate(json.loads(evogate(home, "show", "v1.2").stdout)["genome"])
    assert genome.prompt == BASE.prompt
    assert genome.strategy == StrategyLayer(temperature=0.1)
    again = evogate(home, "rollback", "v1.2")
    assert again.returncode == 2
    assert "nothing to restore" in again.stderr


def test_an_override_sends_a_candidate_to_canary_and_is_recorded(home: Path) -> None:
    answer(home, "canary", "cafe0001", "--why", "I want to see it")
    (experiment,) = answer(home, "experiments")
    assert experiment["state"] == "canary"
    assert experiment["experiment"]["ordinal"] == 0
    assert "operator's override: I want to see it" in experiment["reason"]


def test_approval_is_stored_for_the_step_that_is_waited_for(home: Path) -> None:
    assert answer(home, "approve", "cafe0001")["step"] == "canary"
    answer(home, "canary", "cafe0001")
    assert answer(home, "approve", "cafe0001")["step"] == "promotion"
    (candidate,) = answer(home, "experiments")
    assert set(candidate["stations"]["approval"]) == {"canary", "promotion"}


async def test_rejected_content_is_not_tried_again(home: Path) -> None:
    answer(home, "reject", "cafe0001")
    async with open_registry(home) as registry:
        assert not await registry.add_candidate(replace(CANDIDATE, id="cafe0002"))
    ended = evogate(home, "canary", "cafe0001")
    assert ended.returncode == 2
    assert "none, it has ended" in ended.stderr


def test_freeze_and_thaw_show_in_the_status(home: Path) -> None:
    answer(home, "freeze", "--why", "holidays")
    assert answer(home, "status")["freeze"]["frozen"] is True
    assert "FROZEN" in evogate(home, "status").stdout
    answer(home, "thaw")
    assert answer(home, "status")["freeze"]["frozen"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "v9.9"), "no version v9.9; known: v1.0"),
        (("rollback", "v9.9"), "no version v9.9; known: v1.0"),
        (("history", "--policy", "sales"), "name one with --policy: support"),
        (("approve", "beef"), "beef"),
        (("explain", "0199"), "no request 0199 is on record"),
    ],
)
def test_unknown_names_get_one_line(home: Path, arguments: tuple[str, ...], message: str) -> None:
    done = evogate(home, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_check_answers_with_its_exit_code(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text("policies: {support: {}}")
    bad.write_text("policies: {support: {mod: auto}}")
    assert evogate(tmp_path, "check", str(good)).returncode == 0
    refused = evogate(tmp_path, "check", str(bad))
    assert refused.returncode == 1
    assert "line 1: policies.support.mod: no such setting; did you mean 'mode'?" in refused.stderr
    assert evogate(tmp_path, "check", str(tmp_path / "none.yaml")).returncode == 2


def test_render_shows_what_a_version_would_send(home: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("upstreams: {u: {base_url: 'http://127.0.0.1:1/v1'}}\npolicies: {support: {}}")
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    done = evogate(home, "render", "--version", "v1.0", stdin=json.dumps(body), EVOGATE_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    sent = json.loads(done.stdout)
    assert sent["messages"][0]["content"] == "Be right."
    assert sent["temperature"] == 0.7
    refused = evogate(home, "render", "--version", "v1.0", stdin="{", EVOGATE_CONFIG=str(config))
    assert refused.returncode == 2
    assert "not JSON" in refused.stderr


def test_differences_name_genes() -> None:
    warmer = BASE.model_copy(update={"strategy": StrategyLayer(temperature=0.9)})
    assert differences(BASE, warmer) == [("strategy.temperature", 0.7, 0.9)]
    assert differences(BASE, BASE) == []
