"""`evogate verify` decides again: whoever changes a record and forges its chain, or a row and its seal, is caught."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.common import with_registry
from gateway.cli.verify import facts_of, recompute
from gateway.recording import SpoolWriter, read_frames, verify_chain
from policies.registry import open_registry
from policies.registry.trail import digest, linked
from policies.verification import DiffersError, Report
from tests.gateway.cli.test_commands import evogate
from tests.gateway.pipeline.conftest import running, settings
from tests.gateway.pipeline.experiments import canary, genome
from tests.gateway.pipeline.scripted import provider
from tests.gateway.pipeline.test_factorial import PATIENT, two_layers
from tests.gateway.pipeline.test_factorial import script as two_kinds
from tests.gateway.pipeline.test_rollback import HARMFUL, script

JSON = dict[str, Any]
SHARE = {"bandit": {"floor": 0.1}}  # so that some dozens of conversations meet the canary
AFTER = 1e12  # everything on record is older


@pytest.fixture(scope="module")
def tripped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gateway that served a harmful canary, and its later turns, until the breaker took it back."""
    home = tmp_path_factory.mktemp("tripped")
    asyncio.run(_serve(home))
    return home


async def _serve(home: Path) -> None:
    async with provider(script) as base, running(settings(base, SHARE), home) as gateway:
        await canary(gateway, "c1", genome(HARMFUL))
        for n in range(600):
            await gateway.ask("hello", headers={"x-evogate-session": f"s{n // 2}"})
            if gateway.core.metrics.trips:
                break
        await gateway.until(lambda: not gateway.core.evidence.running)


@pytest.fixture
def home(tripped: Path, tmp_path: Path) -> Path:
    shutil.copytree(tripped, tmp_path / "home")
    return tmp_path / "home"


def check(home: Path) -> tuple[Report, DiffersError | None]:
    return recompute(with_registry(home, lambda registry: facts_of(registry, home)), home / "spool", AFTER)


def caught(home: Path, *words: str) -> None:
    """It differs, says so with these words, and the command's exit code is 1."""
    _, differs = check(home)
    assert differs is not None
    assert [word for word in words if word not in str(differs)] == [], str(differs)


def forge(home: Path, change: Callable[[list[JSON]], list[JSON]]) -> None:
    """Other records, with a chain of their own in which nothing is wrong."""
    folder, anew = home / "spool" / "w0", home / "anew"
    writer = SpoolWriter(anew, segment_bytes=1 << 20)
    for frame in change([frame for _, frame in read_frames(folder)]):
        writer.append(orjson.dumps(frame))
    writer.close()
    assert verify_chain(anew).ok
    shutil.rmtree(folder)
    anew.rename(folder)


def each(kind: str, matches: Callable[[JSON], bool], **changed: Any) -> Callable[[list[JSON]], list[JSON]]:
    """Change the first record of that kind that matches."""

    def change(frames: list[JSON]) -> list[JSON]:
        found = next(frame for frame in frames if frame["t"] == kind and matches(frame))
        found.update({name: value(found) if callable(value) else value for name, value in changed.items()})
        return frames

    return change


def test_everything_comes_out_again(home: Path) -> None:
    report, differs = check(home)
    assert differs is None
    assert report.right["rollbacks"] == 1
    assert min(report.right[name] for name in ("draws", "pins", "odds", "outcomes", "sealed rows")) > 0
    assert [reason for reason, count in report.left_out.items() if count] == []


async def test_a_rollback_of_one_layer_comes_out_again(tmp_path: Path) -> None:
    """With candidates of two layers in canary: sums over all combinations, at the odds of their products."""
    async with provider(two_kinds) as base, running(settings(base, PATIENT), tmp_path) as gateway:
        await two_layers(gateway)
        for n in range(900):
            await gateway.ask("hello", headers={"x-evogate-session": f"s{n}"})
            if gateway.core.metrics.trips:
                break
        await gateway.until(lambda: len(gateway.core.evidence.running) == 1)
    report, differs = await asyncio.to_thread(check, tmp_path)
    assert differs is None
    assert report.right["rollbacks"] == 1


def test_the_command_says_what_it_computed(home: Path) -> None:
    done = evogate(home, "verify", "--rate")
    assert (done.returncode, done.stderr) == (0, "")
    assert "right: 1 rollbacks" in done.stdout
    assert " a second" in done.stdout.splitlines()[-1]


def test_the_command_fails_where_something_differs(home: Path) -> None:
    forge(home, each("outcome", lambda f: f["reward"] is not None, reward=0.123))
    done = evogate(home, "verify")
    assert done.returncode == 1
    assert "differs: outcome " in done.stdout
    assert "reward: recorded 0.123, computed " in done.stdout
    assert json.loads(evogate(home, "verify", "--json").stdout)["decisions"]["differs"].startswith("outcome ")


def test_explain_says_what_became_of_the_comparison_a_request_took_part_in(home: Path) -> None:
    frames = [frame for _, frame in read_frames(home / "spool" / "w0") if frame["t"] == "assignment"]
    frame = next(frame for frame in frames if frame["experiment"])
    (experiment,) = with_registry(home, lambda registry: registry.experiments())
    shown = evogate(home, "explain", frame["id"])
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"experiment  {frame['experiment']}" in shown.stdout
    assert f"comparison  {experiment.verdict}" in shown.stdout.splitlines()
    told = json.loads(evogate(home, "explain", frame["id"], "--json").stdout)["comparison"]
    assert told["verdict"] == experiment.verdict == "ROLL BACK"


def drawn(frame: JSON) -> bool:
    return bool(frame["why"] == "draw")


def other(frame: JSON) -> str:
    return next(str(arm) for arm, _ in frame["arms"] if arm != frame["arm"])


TAMPERED: dict[str, tuple[Callable[[list[JSON]], list[JSON]], tuple[str, ...]]] = {
    "arm": (each("assignment", drawn, arm=other), ("assignment ", "arm drawn")),
    "odds": (each("assignment", drawn, arms=lambda f: [[f["arms"][0][0], 0.9], [f["arms"][1][0], 0.2]]), ("sum to 1",)),
    "floor": (
        each("assignment", drawn, arms=lambda f: [[f["arms"][0][0], 0.999], [f["arms"][1][0], 0.001]]),
        ("smallest of the odds", "a floor of 0.1"),
    ),
    "first": (each("assignment", drawn, first=False), ("first, of a unit met by 'draw'",)),
    "experiment": (each("assignment", drawn, experiment="f00"), ("none of that id in the registry",)),
    "pin": (each("assignment", lambda f: f["why"] == "pin", arm="b" * 32, arms=[["b" * 32, 1.0]]), ("pinned",)),
    "pin's odds": (each("assignment", lambda f: f["why"] == "pin", arms=lambda f: [[f["arm"], 0.8]]), ("odds",)),
    "class": (each("outcome", lambda f: f["status"] == 500, failure=None), ("failure", "'server_error'")),
    "class and reward": (each("outcome", lambda f: f["failure"] is None, failure="refusal", reward=0.0), ("incident",)),
    "hang-up": (each("outcome", lambda f: f["failure"] is None, failure="client_gone"), ("reward",)),
    "reward": (each("outcome", lambda f: f["failure"] is None, reward=1.0), ("reward", "recorded 1.0")),
    "latency": (each("outcome", lambda f: f["failure"] is None, last_byte_ms=9000.0), ("failure", "too_slow")),
    "policy": (each("assignment", drawn, policy="nobody's"), ("policy",)),
    "field": (each("outcome", lambda f: f.pop("cost_usd") >= 0.0), ("a value of 'cost_usd'",)),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_record_is_caught(home: Path, name: str) -> None:
    change, words = TAMPERED[name]
    forge(home, change)
    caught(home, *words)


@pytest.mark.parametrize("kind", ["assignment", "outcome"])
def test_a_dropped_record_is_caught(home: Path, kind: str) -> None:
    """Of a unit whose failure counted: without it the e-values are others."""

    def drop(frames: list[JSON]) -> list[JSON]:
        failed = next(f["id"] for f in frames if f["t"] == "outcome" and f["failure"] == "server_error")
        return [frame for frame in frames if (frame["t"], frame["id"]) != (kind, failed)]

    forge(home, drop)
    caught(home, "incident ", "recorded")


def test_a_time_before_the_comparison_is_caught(home: Path) -> None:
    forge(home, each("assignment", lambda f: f["role"] == "challenger", at=lambda f: f["at"] - 600.0))
    caught(home)  # by its draw or by the e-values, whichever salt the time allows


# -- rows of the registry ----------------------------------------------------------------------------------------------


def rewrite(home: Path, statement: str, *parameters: object) -> None:
    with sqlite3.connect(home / "registry.db") as db:
        assert db.execute(statement, parameters).rowcount > 0
    db.close()


async def reseal(home: Path) -> None:
    """As somebody would who knows the format: digests and links fit what the rows say now."""
    async with open_registry(home) as registry:
        notes = await registry.notes(limit=10_000)
        rows = {incident.id: digest(incident) for incident in await registry.incidents()}
        rows |= {experiment.id: digest(experiment) for experiment in await registry.experiments()}
    db, before = sqlite3.connect(home / "registry.db"), ""
    for number, note in enumerate(notes, 1):
        last = note.action in {"incident", "verdict"}
        detail = note.detail | {"digest": rows[note.subject]} if last else note.detail
        sealed = linked(before, replace(note, detail=detail))
        db.execute("UPDATE notes SET detail = ?, link = ? WHERE id = ?", (json.dumps(detail), sealed.link, number))
        before = sealed.link
    db.commit()
    db.close()


def test_a_changed_row_breaks_its_seal(home: Path) -> None:
    rewrite(home, "UPDATE incidents SET summary = 'nothing happened'")
    caught(home, "incident ", "content")


def test_a_removed_row_is_missed(home: Path) -> None:
    rewrite(home, "DELETE FROM incidents")
    caught(home, "incident ", "none in the registry")


def test_a_row_without_a_note_is_caught(home: Path) -> None:
    rewrite(
        home,
        "INSERT INTO versions SELECT policy, major, minor + 1, genome, lineage, created_at + 1, who, why, evidence "
        "FROM versions",
    )
    caught(home, "version v1.1", "no note of it")


def test_a_changed_note_breaks_the_trail(home: Path) -> None:
    rewrite(home, "UPDATE notes SET who = 'operator:me' WHERE action = 'trip'")
    caught(home, "(trip of c1)", "link")


def test_a_removed_note_breaks_the_trail(home: Path) -> None:
    rewrite(home, "DELETE FROM notes WHERE action = 'candidate'")
    caught(home, "link")


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ("json_set(evidence, '$.e_values.combined.1', 99.0)", "e_values"),
        ("json_set(evidence, '$.counts.answer.challenger[1]', 1)", "counts"),
        ("json_set(evidence, '$.thresholds.alpha', 0.5)", "thresholds"),
    ],
)
def test_a_changed_decision_with_a_forged_seal_does_not_come_out_again(home: Path, change: str, word: str) -> None:
    rewrite(home, f"UPDATE incidents SET evidence = {change}")
    asyncio.run(reseal(home))
    caught(home, "incident ", word)


def test_a_milder_verdict_with_a_forged_seal_does_not_come_out_again(home: Path) -> None:
    rewrite(home, "UPDATE incidents SET kind = CASE kind WHEN 'TRIP' THEN 'SEVERE' ELSE 'TRIP' END")
    asyncio.run(reseal(home))
    caught(home, "incident ", "verdict")


def test_without_the_secret_draws_are_left_out_and_said_so(home: Path) -> None:
    (home / "secret").unlink()
    report, differs = check(home)
    assert differs is None
    assert report.left_out["draws: the secret that keys them is not in this folder"] > 0
    assert report.right["draws"] == 0


def test_without_terms_on_record_rewards_are_left_out_and_said_so(home: Path) -> None:
    rewrite(home, "DELETE FROM notes WHERE action = 'terms'")
    reseal_after_deletion(home)
    report, differs = check(home)
    assert differs is None
    assert report.left_out["rewards: the terms of their time are not on record"] > 0
    assert report.left_out["rollbacks: their terms are not on record"] == 1


def reseal_after_deletion(home: Path) -> None:
    db = sqlite3.connect(home / "registry.db")
    db.execute("UPDATE notes SET id = id - 1")
    db.commit()
    db.close()
    asyncio.run(reseal(home))
