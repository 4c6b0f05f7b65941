"""What the evolver decides beside a predecessor is decided again by `evogate verify`, to the bit."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from evolver.odds import Odds
from evolver.replay import gates_of, weights_of
from evolver.stations.deploy import holdback_experiment
from evolver.stations.promotion import Promotion
from evolver.vigil import Vigil
from evolver.watch import Watch
from gateway.cli.common import with_registry
from gateway.cli.verify import facts_of, recompute
from gateway.pipeline.snapshot import publish_configured
from gateway.recording import SpoolWriter, read_frames
from gateway.recording.frames import Assignment, Frame, Outcome
from policies.evidence import ExperimentEvidence
from policies.fitness import reward_value
from policies.registry.operations import promote, start_canary
from policies.registry.trail import digest
from policies.registry.values import Candidate, Experiment, Holdback, Totals
from policies.verification import DiffersError, Facts, Report
from tests.evolver.support import POLICY, World, exchange, make_settings

SETTINGS = {
    "breaker": {"deadline_s": 5.0, "window_s": 60.0},
    "bandit": {"production_share": 0.5},
    "promotion": {"holdback": 0.0},
}
USUAL, HARM = 0.02, 0.4
WRITERS = 3
AFTER = 1e12  # everything on record is older


def traffic(
    world: World, count: int, rates: dict[str, float], *, start: int, experiment: str | None, skew: float = 0.5
) -> list[Frame]:
    """New conversations, drawn evenly among the arms of `rates`, which refuse so often; some answers never come.

    `skew` is the share that the second arm gets in truth.
    """
    rng, arms, policy = Random(start), list(rates), world.settings.policies[POLICY]
    worth = reward_value(
        failure=None,
        validators={},
        score=None,
        latency_ms=400.0,
        output_tokens=10,
        repairs=0,
        cost_usd=0.0001,
        weights=weights_of(policy),
        gates=gates_of(policy),
    )
    drawn = len(arms) > 1
    frames: list[Frame] = []
    for number in range(start, start + count):
        world.now += 0.1
        arm = rng.choices(arms, [1.0 - skew, skew])[0] if len(arms) > 1 else arms[0]
        given: dict[str, Any] = {
            "arm": arm,
            "arms": [(name, 1 / len(arms)) for name in arms],
            "why": "draw" if drawn else "only",
            "first": drawn,
            "experiment": experiment if drawn else None,
            "failure": "refusal" if rng.random() < rates[arm] else None,
            "settled_after": rng.choice([0.5] * 30 + [3.0, 6.0, None]) if start > 10_000 else 0.5,
        }
        frames += exchange(number, at=world.now, reward=worth, **given)
    return sorted(frames, key=lambda frame: frame.at)


async def canary_begun(
    world: World, *, who: str = "operator:eve", counted: bool = False
) -> tuple[Candidate, Experiment]:
    """A candidate beside version 1.0 that has not had a request yet."""
    world.configure(make_settings(policy=SETTINGS))
    await publish_configured(world.registry, world.settings, world.now - 900.0)
    candidate = await world.candidate("judged")
    return await start_canary(world.registry, candidate, who=who, reason="", counted=counted, now=world.now)


async def promoted(world: World) -> tuple[str, str]:
    """A candidate is in production by an operator's word; the contents of its predecessor and of it."""
    candidate, experiment = await canary_begun(world)
    arms = world.production.genome.content_hash, candidate.genome.content_hash
    rates = dict.fromkeys(arms, USUAL)
    await world.record(traffic(world, 600, rates, start=1, experiment=experiment.id))
    world.now += 10
    await promote(world.registry, candidate, who="operator:eve", reason="", now=world.now, evidence={"override": "me"})
    return arms


async def compared(world: World, how: str) -> str:
    """The comparison's name: the holdback that a promotion leaves, or the one that an alarm calls for."""
    _, new = await promoted(world)
    if how == "holdback":
        name = holdback_experiment(POLICY, "v1.1")
        await world.registry.set_holdback(POLICY, Holdback(POLICY, "v1.0", 0.5, name, "salt", world.now), now=world.now)
        return name
    await world.record(traffic(world, 200, {new: HARM}, start=10_000, experiment=None))
    world.now += 10
    await Vigil().look(world.context())
    (holdback,) = await world.registry.holdbacks()
    return holdback.experiment


async def decided(world: World, how: str, theirs: float) -> None:
    """The evolver has decided between the two, over several looks; `theirs` is how often the predecessor fails."""
    name, watch = await compared(world, how), Watch()
    old = world.production.genome.content_hash
    new = (await world.registry.candidate("c0ffee")).genome.content_hash
    for start in (20_000, 30_000, 40_000):
        await world.record(traffic(world, 300, {old: theirs, new: HARM}, start=start, experiment=name))
        await watch.look(world.context())
    world.now += 10
    await watch.look(world.context())
    await world.record(traffic(world, 50, {old: theirs, new: HARM}, start=50_000, experiment=name))  # nobody's news


async def check(world: World, change: Callable[[Facts], Facts] = lambda facts: facts) -> tuple[Report, Any]:
    def run() -> tuple[Report, DiffersError | None]:
        facts = with_registry(world.home, lambda registry: facts_of(registry, world.home))
        return recompute(change(facts), world.home / "spool", AFTER)

    return await asyncio.to_thread(run)


@pytest.mark.parametrize("how", ["holdback", "alarm"])
async def test_an_ejection_comes_out_again(world: World, how: str) -> None:
    await decided(world, how, USUAL)
    assert [incident.kind for incident in await world.registry.incidents(POLICY)] == ["EJECT"]
    report, differs = await check(world)
    assert differs is None
    assert report.right["rollbacks"] == 1
    assert [why for why in report.left_out if "EJECT" in why or "rollback" in why] == []


async def test_a_comparison_without_a_verdict_comes_out_again(world: World) -> None:
    await decided(world, "alarm", HARM)
    assert [e.verdict for e in await world.registry.experiments(POLICY)][-1] == "INCONCLUSIVE"
    report, differs = await check(world)
    assert differs is None
    assert report.right["comparisons without a verdict"] == 1


FORGED: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "e-value": (lambda e: e["e_values"]["combined"].update({"1": 99.0}), "e_values.combined.1"),
    "last bit": (lambda e: e["e_values"]["answer"].update({"2": e["e_values"]["answer"]["2"] * (1 + 2e-16)}), "e_valu"),
    "counts": (lambda e: e["counts"]["answer"].update(challenger=[1, 1]), "evidence."),
    "a unit fewer": (lambda e: e["counts"]["answer"]["production"].__setitem__(0, 1), "evidence."),
    "threshold": (lambda e: e["thresholds"].update(alpha=0.5), "thresholds.alpha"),
    "window": (lambda e: e["window"]["answer"].update(production=[0, 0]), "window.answer"),
    "class": (lambda e: e["classes"].update(refusal={"production": 1, "challenger": 1}), "classes.refusal"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
async def test_a_forged_ejection_is_named(world: World, name: str) -> None:
    await decided(world, "holdback", USUAL)
    change, word = FORGED[name]
    ejected = (await world.registry.incidents(POLICY))[0].id
    _, differs = await check(world, forging(change))
    assert str(differs).startswith(f"incident {ejected}: evidence.")
    assert word in str(differs)


def forging(change: Callable[[dict[str, Any]], None]) -> Callable[[Facts], Facts]:
    """The only incident, changed, and its seal with it: whoever knows the format forges that, too."""

    def forge(facts: Facts) -> Facts:
        policy = facts.policies[POLICY]
        (incident,) = policy.incidents
        evidence = json.loads(json.dumps(incident.evidence))
        change(evidence)
        assert evidence != incident.evidence
        forged = replace(incident, evidence=evidence)
        policy.incidents[:] = [forged]
        sealed = {"digest": digest(forged)}
        policy.notes[:] = [replace(n, detail=n.detail | sealed) if n.action == "incident" else n for n in policy.notes]
        return facts

    return forge


def rewrite(home: Path, change: Callable[[dict[str, Any]], bool]) -> None:
    """The recordings again, with the frames changed; those for which `change` is false are dropped."""
    folder = home / "spool" / "w0"
    frames = [frame for _, frame in read_frames(folder)]
    for path in folder.iterdir():
        path.unlink()
    writer = SpoolWriter(folder, segment_bytes=1 << 24)
    for frame in frames:
        if change(frame):
            writer.append(orjson.dumps(frame))
    writer.close()


@pytest.mark.parametrize("kind", ["assignment", "outcome"])
async def test_a_dropped_record_of_an_ejection_is_named(world: World, kind: str) -> None:
    await decided(world, "holdback", USUAL)
    world.writers.pop("w0").close()
    frames = [frame for _, frame in read_frames(world.home / "spool" / "w0")]
    failed = next(f["id"] for f in frames if f["t"] == "outcome" and f["failure"] and f["id"] >= "r020000")
    rewrite(world.home, lambda frame: (frame["t"], frame["id"]) != (kind, failed))
    _, differs = await check(world)
    assert str(differs).startswith("incident eject-holdback-")


# -- the promotion test ------------------------------------------------------------------------------------------------


async def ended_canary(world: World, theirs: float) -> Experiment:
    """A canary that is over by the evolver's own reading of rewards: taken back for them, or left at the horizon."""
    candidate, experiment = await canary_begun(world, who="evolver", counted=True)
    arms = {world.production.genome.content_hash: USUAL, candidate.genome.content_hash: theirs}
    await world.record(traffic(world, 500, arms, start=1, experiment=experiment.id))
    world.now += world.settings.policies[POLICY].promotion.horizon_s if theirs == USUAL else 10.0
    await Promotion().step(candidate, world.context())
    return (await world.registry.experiments(POLICY))[0]


async def test_what_was_taken_back_for_its_reward_comes_out_again(world: World) -> None:
    assert (await ended_canary(world, HARM)).verdict == "ROLL BACK"
    report, differs = await check(world)
    assert differs is None
    assert report.right["promotion tests"] == 1


async def test_what_was_not_proven_worse_can_not_have_been_taken_back_for_it(world: World) -> None:
    experiment = await ended_canary(world, USUAL)
    assert experiment.verdict == "INCONCLUSIVE"

    def forge(facts: Facts) -> Facts:
        policy = facts.policies[POLICY]
        forged = replace(policy.experiments[0], verdict="ROLL BACK")
        policy.experiments[:] = [forged]
        sealed = {"digest": digest(forged)}
        policy.notes[:] = [replace(n, detail=n.detail | sealed) if n.action == "verdict" else n for n in policy.notes]
        return facts

    _, differs = await check(world, forge)
    assert str(differs).startswith(f"experiment {experiment.id}: verdict: reward is below production's")


# -- the fleet's sums --------------------------------------------------------------------------------------------------


async def fleet_trips(world: World) -> Experiment:
    """Three writers each see too little of a harmful canary; the evolver takes it back on their sum."""
    candidate, experiment = await canary_begun(world)
    old, new = world.production.genome.content_hash, candidate.genome.content_hash
    told = [
        ExperimentEvidence(experiment.id, alpha=0.01, ratio=2.0, window_s=60.0, deadline_s=5.0) for _ in range(WRITERS)
    ]
    watch, start = Watch(), 1
    while not await world.registry.incidents(POLICY):
        frames = traffic(world, 60, {old: 0.1, new: 0.5}, start=start, experiment=experiment.id)
        for number in range(WRITERS):
            own = [frame for frame in frames if int(frame.id[1:]) % WRITERS == number]
            await world.record(own, writer=f"w{number}")
            for frame in own:
                if isinstance(frame, Assignment):
                    q = dict(frame.arms)[new]
                    told[number].assigned(frame.unit, at=frame.at, challenger=frame.arm == new, q=q)
                elif isinstance(frame, Outcome):
                    told[number].settled(f"u{frame.id[1:]}", frame.failure, now=frame.at)
        world.now += 4.0
        for number, evidence in enumerate(told):
            evidence.advance(world.now)
            rows = orjson.loads(orjson.dumps({str(k): v for k, v in evidence.totals().items()}))
            await world.registry.put_totals(
                [Totals("evidence", experiment.id, f"w{number}", int(k), v, 0.0, world.now) for k, v in rows.items()]
            )
        await watch.look(world.context())
        start += 60
    return experiment


async def test_a_trip_on_the_fleets_sums_comes_out_again_to_the_last_bit(world: World) -> None:
    experiment = await fleet_trips(world)
    (incident,) = await world.registry.incidents(POLICY)
    assert (incident.evidence["basis"], incident.evidence["writers"]) == ("fleet", WRITERS)
    report, differs = await check(world)
    assert differs is None
    assert report.right["rollbacks"] == 1
    assert incident.id.endswith(experiment.id)


@pytest.mark.parametrize("name", ["e-value", "last bit"])
async def test_a_forged_trip_on_the_fleets_sums_is_named(world: World, name: str) -> None:
    await fleet_trips(world)
    change, word = FORGED[name]
    _, differs = await check(world, forging(change))
    assert word in str(differs)


# -- alarms ----------------------------------------------------------------------------------------------------------


async def alarmed(world: World) -> None:
    """The detector's first alarm falls into a freeze and only restarts it; the second begins a comparison."""
    _, new = await promoted(world)
    await world.registry.set_state("freeze", {"frozen": True})
    for start, frozen in ((10_000, True), (11_000, False)):
        await world.registry.set_state("freeze", {"frozen": frozen})
        await world.record(traffic(world, 200, {new: HARM}, start=start, experiment=None))
        await world.record(traffic(world, 3, {new: HARM}, start=start, experiment=None)[:2])  # met before: no news
        world.now += 10
        await Vigil().look(world.context())


async def test_an_alarm_comes_out_again(world: World) -> None:
    await alarmed(world)
    (note,) = [note for note in await world.registry.notes(POLICY) if note.action == "alarm"]
    assert note.detail["first"][0] > note.detail["since"], "the first one restarted the detector"
    report, differs = await check(world)
    assert differs is None
    assert report.right["alarms"] == 1


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"detector": {"failures": 9}}, "detector.failures"),
        ({"detector": {"baseline": 0.001}}, "detector.baseline"),
        ({"detector": {"mean_units": 2.0}}, "detector.mean_units"),
        ({"first": [0.0, ""]}, "detector."),
        ({"since": 1e12}, "detector."),
    ],
)
async def test_a_forged_alarm_is_named(world: World, change: dict[str, Any], word: str) -> None:
    await alarmed(world)

    def forge(facts: Facts) -> Facts:
        notes = facts.policies[POLICY].notes
        at = next(n for n, note in enumerate(notes) if note.action == "alarm")
        detail = dict(notes[at].detail)
        for name, value in change.items():
            detail[name] = {**detail[name], **value} if isinstance(value, dict) else value
        notes[at] = replace(notes[at], detail=detail)
        return facts

    _, differs = await check(world, forge)
    assert str(differs).startswith("alarm about v1.1 before the comparison ")
    assert word in str(differs)


async def test_a_dropped_answer_before_an_alarm_is_named(world: World) -> None:
    await alarmed(world)
    world.writers.pop("w0").close()
    frames = [frame for _, frame in read_frames(world.home / "spool" / "w0")]
    counted = next(f["id"] for f in frames if f["t"] == "outcome" and f["failure"] and f["id"] >= "r011000")
    rewrite(world.home, lambda frame: frame["id"] != counted)
    _, differs = await check(world)
    assert str(differs).startswith("alarm about v1.1 ")


async def test_an_alarm_of_an_older_version_is_left_out_and_said_so(world: World) -> None:
    await alarmed(world)

    def older(facts: Facts) -> Facts:
        notes = facts.policies[POLICY].notes
        at = next(n for n, note in enumerate(notes) if note.action == "alarm")
        detail = {name: value for name, value in notes[at].detail.items() if name != "first"}
        notes[at] = replace(notes[at], detail=detail)
        return facts

    report, differs = await check(world, older)
    assert differs is None
    assert report.left_out["alarms: where their detector began is not on record"] == 1


# -- odds that are not in force ----------------------------------------------------------------------------------------


async def skewed(world: World) -> None:
    """More go to the candidate than the odds on record say; the evolver stops everything, twice."""
    candidate, experiment = await canary_begun(world)
    rates = {world.production.genome.content_hash: USUAL, candidate.genome.content_hash: USUAL}
    for start in (1, 10_000):
        await world.record(traffic(world, 400, rates, start=start, experiment=experiment.id, skew=0.8))
        world.now += 10.0
        await Odds().look(world.context())
        await world.registry.set_state("freeze", {"frozen": False})
    assert {incident.kind for incident in await world.registry.incidents(POLICY)} == {"SAMPLE_RATIO"}


async def test_a_sample_ratio_alarm_comes_out_again(world: World) -> None:
    await skewed(world)
    report, differs = await check(world)
    assert differs is None
    assert report.right["alarms"] == len(await world.registry.incidents(POLICY)) >= 2


@pytest.mark.parametrize(("name", "value"), [("e_value", 1e9), ("units", 7), ("drawn", "a"), ("counts", {"a": {}})])
async def test_a_forged_sample_ratio_alarm_is_named(world: World, name: str, value: Any) -> None:
    await skewed(world)

    def forge(facts: Facts) -> Facts:
        policy = facts.policies[POLICY]
        forged = replace(policy.incidents[0], evidence={**policy.incidents[0].evidence, name: value})
        policy.incidents[0] = forged
        for n, note in enumerate(policy.notes):
            if note.action == "incident" and note.subject == forged.id:
                policy.notes[n] = replace(note, detail={**note.detail, "digest": digest(forged)})
        return facts

    _, differs = await check(world, forge)
    assert str(differs).startswith("incident sample-ratio-")
