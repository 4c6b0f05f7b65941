"""What gates, shadow and judge decided is decided again by `evogate verify`, and whoever changes it is caught."""

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

from evolver.conveyor import step_all
from evolver.provider import Completion
from evolver.replay import gates_of, weights_of
from evolver.stations import Line, line
from gateway.pipeline.snapshot import publish_configured
from gateway.recording import SpoolWriter, read_frames
from gateway.sandbox.app import running_sandbox
from policies.fitness import reward_value
from policies.outcome import Answer
from policies.registry import open_registry
from policies.registry.trail import digest, linked
from tests.evolver.support import POLICY, START, World, exchange, make_settings, make_world, shadow
from tests.gateway.cli.test_commands import evogate

SHADOW = {"shadow": {"min_pairs": 50, "horizon_s": 1000.0}, "breaker": {"deadline_s": 10.0}}
PAIRS = 240
VERDICTS = ("tie", "tie", "tie", "tie", "tie", "A")  # of the judge, by what it is asked


async def _judge(_model_key: str, body: dict[str, Any]) -> Completion:
    """By what it is asked, so that calls may overlap."""
    winner = VERDICTS[sum(body["messages"][1]["content"].encode()) % len(VERDICTS)]
    return Completion(200, {}, Answer(text=json.dumps({"winner": winner})), 1.0, 0.0, None)


def _worth(world: World, ms: float = 400.0) -> float:
    policy = world.settings.policies[POLICY]
    worth = reward_value(
        failure=None,
        validators={},
        score=None,
        latency_ms=ms,
        output_tokens=10,
        repairs=0,
        cost_usd=0.0001,
        weights=weights_of(policy),
        gates=gates_of(policy),
    )
    assert worth is not None
    return worth


def _pairs(world: World, ms: float) -> dict[str, list[Any]]:
    """By writer: requests to production, each with the shadow's answer; some fail, and one outcome never comes."""
    frames: dict[str, list[Any]] = {"w0": [], "w1": []}
    for number in range(1, PAIRS + 1):
        writer = f"w{number % 7 // 5}"
        ours = "refusal" if number % 60 == 13 else None
        asked, done = exchange(
            number, at=world.now, answer=str(number), failure=ours, reward=_worth(world), writer=writer
        )
        failure = "refusal" if number % 60 == 11 else None
        theirs = {"failure": failure, "reward": 0.0 if failure else _worth(world, ms), "last_byte_ms": ms}
        said = {"text": str(number) if number % 2 else f"It is {number}.", "tool_calls": [], "finish_reason": "stop"}
        more = {"answer": said, "validators": {}, "output_tokens": 10, "repairs": 0}
        answer = shadow(number, "c0ffee", at=world.now + 1.0, **theirs, **more)
        frames[writer] += [asked, answer] if number == 100 else [asked, done, answer]
        world.now += 0.01
    return frames


async def _walked(home: Path, *, ms: float) -> None:
    """A candidate goes through the real stations; one that is slow fails in the shadow."""
    async with running_sandbox(5, delay_scale=0.0, failure_scale=0.0) as base_url:
        settings = make_settings(base_url, policy=SHADOW)
        async with make_world(home, settings) as world:
            world.provider.complete = _judge  # type: ignore[method-assign, assignment]
            await publish_configured(world.registry, settings, START - 900.0)
            await world.record([f for n in range(1000, 1020) for f in exchange(n, reward=_worth(world))])
            await world.candidate()
            stations: Line = {**line(), "judged": ()}
            await step_all(stations, world.context())  # its gates
            await step_all(stations, world.context())  # its admission
            frames = _pairs(world, ms)
            for writer in ("w0", "w1"):
                await world.record(frames[writer][:300], writer)
                await world.record(frames[writer][300:], writer)
            world.now += 60.0
            for _ in ("what the log says", "its shadow", "its judge"):
                await step_all(stations, world.context())


@pytest.fixture(scope="module")
def passed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("passed")
    asyncio.run(_walked(home, ms=400.0))
    return home


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("failed")
    asyncio.run(_walked(home, ms=3_500.0))
    return home


@pytest.fixture
def home(passed: Path, tmp_path: Path) -> Path:
    shutil.copytree(passed, tmp_path / "home")
    return tmp_path / "home"


def _verify(home: Path) -> tuple[int, dict[str, Any]]:
    done = evogate(home, "verify", "--json")
    assert done.stderr == ""
    return done.returncode, json.loads(done.stdout)["decisions"]


def _rewrite(home: Path, change: Callable[[dict[str, Any]], None], **columns: str) -> None:
    """The stations of the only candidate, changed; its seal and the trail with them, as a forger would."""
    db = sqlite3.connect(home / "registry.db")
    stations = json.loads(db.execute("SELECT stations FROM candidates").fetchone()[0])
    before = json.dumps(stations)
    change(stations)
    assert json.dumps(stations) != before or columns
    db.execute("UPDATE candidates SET stations = ?", (json.dumps(stations),))
    for name, value in columns.items():
        db.execute(f"UPDATE candidates SET {name} = ?", (value,))
    db.commit()
    db.close()
    asyncio.run(_reseal(home))


async def _reseal(home: Path) -> None:
    async with open_registry(home) as registry:
        notes = await registry.notes(limit=10_000)
        (candidate,) = await registry.candidates()
    last = max(n for n, note in enumerate(notes) if note.subject == candidate.id)
    db, before = sqlite3.connect(home / "registry.db"), ""
    for number, note in enumerate(notes):
        detail = note.detail | {"digest": digest(candidate)} if number == last else note.detail
        sealed = linked(before, replace(note, detail=detail))
        db.execute("UPDATE notes SET detail = ?, link = ? WHERE id = ?", (json.dumps(detail), sealed.link, number + 1))
        before = sealed.link
    db.commit()
    db.close()


def test_what_the_stations_decided_comes_out_again(passed: Path) -> None:
    code, found = _verify(passed)
    assert (code, found["differs"]) == (0, None)
    right = {name: found["right"].get(name) for name in ("gates", "shadows", "judge's scores", "steps of candidates")}
    assert right == {"gates": 3, "shadows": 1, "judge's scores": 1, "steps of candidates": 3}
    assert [why for why in found["left_out"] if "verifiable" in why or "shadow" in why] == []


def test_a_failure_in_the_shadow_comes_out_again(failed: Path) -> None:
    code, found = _verify(failed)
    assert (code, found["differs"]) == (0, None)
    assert (found["right"]["shadows"], found["right"]["steps of candidates"]) == (1, 3)


def _winner(stations: dict[str, Any]) -> None:
    """The first pair that nobody was asked about."""
    verdicts = stations["judge"]["verdicts"]
    verdicts[verdicts.index(None)] = ["A", "B"]


def _scores(stations: dict[str, Any]) -> None:
    """Every verdict a loss, and the scores with them: what follows from them is no pass."""
    judge = stations["judge"]
    judge["scores"], judge["verdicts"] = [0.0] * len(judge["scores"]), [["A", "B"]] * len(judge["scores"])


def _regression(stations: dict[str, Any]) -> None:
    gate = stations["gates"]["regression"]
    gate["detail"]["worse"] = gate["samples"][:8]


TAMPERED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "gate's value": (lambda s: s["gates"]["regression"].update(value=0.01), "gate regression of candidate c0ffee: val"),
    "gate's samples": (_regression, "gate regression of candidate c0ffee: value: recorded 1.0, computed 0.0039"),
    "gate's strangers": (lambda s: s["gates"]["regression"]["detail"].update(better=["r9"]), "samples"),
    "gate's problems": (lambda s: s["gates"]["scope"]["detail"].update(problems=["no"]), "gate scope of candidate"),
    "gate without a value": (lambda s: s["gates"]["syntax"].update(value=None), "without a value"),
    "gate that is not there": (lambda s: s["gates"].pop("regression"), "step from gated: recorded 'pass'"),
    "judge's verdict": (_winner, "score of the pair"),
    "judge's scores": (_scores, "judge of candidate c0ffee: mean"),
    "judge's bound": (lambda s: s["judge"].update(low=0.99), "judge of candidate c0ffee: low"),
    "judge's threshold": (lambda s: s["judge"].update(threshold=0.97), "step from shadow: recorded 'pass'"),
    "judge's pairs": (lambda s: s["judge"]["samples"].__setitem__(0, "r9"), "pairs that the judge saw"),
    "judge twice": (lambda s: s["judge"]["samples"].__setitem__(0, s["judge"]["samples"][1]), "pairs: recorded 23"),
    "no judge": (lambda s: s.pop("judge"), "step from shadow: recorded 'pass'"),
    "shadow's e-value": (lambda s: s["shadow"]["cost"].update(e_value=99.0), "evidence.cost.e_value"),
    "shadow's verdict": (lambda s: s["shadow"].update(verdict="fail"), "step from shadow: recorded 'pass'"),
    "shadow's order": (lambda s: s["shadow"]["order"].reverse(), "evidence."),
    "shadow's length": (lambda s: s["shadow"]["order"][0].__setitem__(1, 9000), "pairs recorded by w0"),
    "shadow's missing": (lambda s: s["shadow"].update(missing=["r000011", "r000100"]), "r000011: recorded 'missing'"),
    "shadow's not missing": (lambda s: s["shadow"].update(missing=[]), "r000100: recorded 'counted'"),
    "shadow's terms": (lambda s: s["shadow"]["terms"].update(quality=0.5), "terms.quality"),
    "shadow's pairs at least": (lambda s: s["shadow"]["terms"].update(min_pairs=2), "terms.min_pairs"),
    "shadow's beginning": (lambda s: s["shadow"].update(since=START - 5000.0), "beginning"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERED)
def test_a_changed_decision_is_named(home: Path, name: str) -> None:
    change, word = TAMPERED[name]
    _rewrite(home, change)
    code, found = _verify(home)
    assert code == 1
    assert word in found["differs"]


def test_a_failure_made_a_pass_is_named(failed: Path, tmp_path: Path) -> None:
    home = shutil.copytree(failed, tmp_path / "home")
    _rewrite(home, lambda s: s["shadow"].update(verdict="pass"))
    code, found = _verify(home)
    assert code == 1
    assert "step from shadow: recorded 'fail'" in found["differs"]


def test_a_step_without_a_note_is_named(home: Path) -> None:
    """Whoever moves a candidate on in its row alone."""
    _rewrite(home, lambda s: None, state="canary")
    code, found = _verify(home)
    assert code == 1
    assert found["differs"] == "candidate c0ffee: state: recorded 'canary', computed 'judged'"


def test_a_changed_answer_of_the_shadow_is_named(home: Path) -> None:
    folder, changed = home / "spool" / "w0", 0
    frames = [frame for _, frame in read_frames(folder)]
    shutil.rmtree(folder)
    writer = SpoolWriter(folder, segment_bytes=1 << 24)
    for frame in frames:
        if frame["t"] == "signal" and frame["data"]["failure"] == "refusal" and not changed:
            frame["data"].update(failure="client_gone", reward=None)  # says nothing about anybody
            changed += 1
        writer.append(orjson.dumps(frame))
    writer.close()
    code, found = _verify(home)
    assert (code, changed) == (1, 1)
    assert found["differs"].startswith("shadow of candidate c0ffee: evidence.")


OLDER: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "gates": (lambda s: [s["gates"]["regression"]["detail"].pop(n) for n in ("worse", "better")], "gates: not verif"),
    "no gates": (lambda s: s.pop("gates"), "steps of candidates: not verifiable"),
    "judge": (lambda s: s["judge"].pop("verdicts"), "judge's scores: not verifiable"),
    "shadow": (lambda s: [s["shadow"].pop(n) for n in ("order", "missing", "since", "terms")], "shadows: not verif"),
}  # fmt: skip


@pytest.mark.parametrize("name", OLDER)
def test_what_an_older_version_did_not_keep_is_counted_apart(home: Path, name: str) -> None:
    change, word = OLDER[name]
    _rewrite(home, change)
    code, found = _verify(home)
    assert (code, found["differs"]) == (0, None)
    assert sum(count for why, count in found["left_out"].items() if why.startswith(word)) > 0
