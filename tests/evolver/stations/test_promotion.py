"""From judged to confirmed on synthetic recordings: proof promotes, doubt does not, harm is taken back."""

from random import Random
from typing import Any

import orjson
import pytest

from evolver.conveyor import carry_out, step_all
from evolver.stations import line
from evolver.stations.base import Move
from evolver.stations.canary import CanaryStart
from evolver.stations.promotion import Promotion
from evolver.watch import Watch
from gateway.recording.frames import Assignment, Frame, Outcome
from policies.errors import ConflictError
from policies.evidence import ExperimentEvidence
from policies.genome import Lineage
from policies.registry.operations import production_of, start_canary
from policies.registry.values import Candidate, Incident, Totals, Version
from tests.evolver.support import POLICY, World, exchange, make_settings, signal, with_rule

FAST: dict[str, Any] = {
    "breaker": {"deadline_s": 5.0, "window_s": 30.0},
    "promotion": {"horizon_s": 1_000.0, "holdback": 0.1},
    "reward": {"weights": {"latency": 0.0, "cost": 0.0}},
}


async def canary(world: World, **policy: Any) -> Candidate:
    """A candidate in canary, its experiment open."""
    world.configure(make_settings(policy={**FAST, **policy}))
    judged = await world.candidate("judged")
    assert await CanaryStart().step(judged, world.context()) is None
    return await world.registry.candidate(judged.id)


async def units(
    world: World,
    candidate: Candidate,
    count: int,
    *,
    ours: float,
    theirs: float,
    start: int = 0,
    step_s: float = 0.1,
    **changes: Any,
) -> list[Frame]:
    """Randomised units, one each `step_s`; the arms fail at these rates."""
    rng = Random(start + 1)
    (experiment,) = await world.registry.experiments(POLICY, running=True)
    arms = (world.production.genome.content_hash, candidate.genome.content_hash)
    frames: list[Frame] = []
    for number in range(start, start + count):
        world.now += step_s
        treated = rng.random() < 0.25
        failed = rng.random() < (theirs if treated else ours)
        frames += exchange(
            number,
            at=world.now,
            arm=arms[treated],
            arms=[(arms[0], 0.6), (arms[1], 0.2), ("holdback", 0.2)],
            role="challenger" if treated else "production",
            candidate=candidate.id if treated else None,
            experiment=experiment.id,
            first=True,
            failure="invalid_output" if failed else None,
            **changes,
        )
    return frames


async def test_end_to_end_from_judged_to_confirmed(world: World) -> None:
    """Only through the line, as the daemon drives it."""
    world.configure(make_settings(policy=FAST))
    told: list[tuple[str, str]] = []
    world.webhook.send = lambda event, policy, at, detail: told.append((event, detail.get("version", "")))  # type: ignore[method-assign]
    stations = line()
    candidate = await world.candidate("judged")
    await step_all(stations, world.context())
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    await step_all(stations, world.context())

    promoted = await world.registry.candidate(candidate.id)
    production, pointer = await production_of(world.registry, POLICY)
    assert promoted.state == "promoted"
    assert (production.label, production.genome, pointer.who) == ("v1.1", candidate.genome, "evolver")
    (experiment,) = await world.registry.experiments(POLICY)
    assert (experiment.verdict, experiment.ordinal) == ("PROMOTE", 1)
    assert experiment.evidence["intervals"]["reward"]["low"] > 0.01
    (holdback,) = await world.registry.holdbacks()
    assert (holdback.version, holdback.share) == ("v1.0", 0.1)
    file = orjson.loads((world.home / "prompt_registry" / "p_v1_1.json").read_bytes())
    assert (file["version"], file["source"]) == ("v1.1", "patch")
    assert file["text"].endswith("Say the number first.")
    assert file["metadata"]["reward_gain"]["low"] > 0.01
    assert told == [("promotion", "v1.1")]

    world.now += 29
    await step_all(stations, world.context())
    assert (await world.registry.candidate(candidate.id)).state == "promoted"
    world.now += 2
    await step_all(stations, world.context())
    assert (await world.registry.candidate(candidate.id)).state == "confirmed"
    assert await world.registry.holdbacks() == []


@pytest.mark.parametrize(("ours", "theirs"), [(0.1, 0.1), (0.1, 0.15)])
async def test_no_gain_is_never_promoted(world: World, ours: float, theirs: float) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_500, ours=ours, theirs=theirs))
    world.now += 6
    move = await Promotion().step(candidate, world.context())
    assert move is None or move.event in (None, "expire")
    assert (await production_of(world.registry, POLICY))[0].label == "v1.0"


async def test_the_horizon_ends_it_and_keeps_production(world: World) -> None:
    candidate = await canary(world, promotion={"horizon_s": 60.0})
    await world.record(await units(world, candidate, 50, ours=0.1, theirs=0.1))
    station = Promotion()
    move = await station.step(candidate, world.context())
    assert move is not None
    assert move.event is None
    world.now += 60
    move = await station.step(candidate, world.context())
    assert move is not None
    assert move.event == "expire"
    (experiment,) = await world.registry.experiments(POLICY)
    assert experiment.verdict == "INCONCLUSIVE"


async def test_gains_in_reward_do_not_buy_a_slower_answer(world: World) -> None:
    """Superior in reward, inferior in latency: not promoted."""
    candidate = await canary(world)
    frames = await units(world, candidate, 1_500, ours=0.4, theirs=0.02)
    for frame in frames:
        if frame.TYPE == "outcome":
            arm = next(f for f in frames if f.TYPE == "assignment" and f.id == frame.id)
            slow = getattr(arm, "role", "") == "challenger"
            object.__setattr__(frame, "last_byte_ms", 3_900.0 if slow else 200.0)
    await world.record(frames)
    world.now += 6
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    assert move.measured["e_values"]["reward"] > move.measured["threshold"]
    assert move.measured["e_values"]["latency"] < 1


async def cheaper(world: World, quality: float, margin: float) -> tuple[Candidate, Move | None]:
    """A canary that costs a tenth of production, whose users give its answers that much instead of 0.9 on average."""
    candidate = await canary(
        world,
        promotion={**FAST["promotion"], "non_inferiority": {"quality": margin}},
        budgets={"usd_per_request": 0.01},
        reward={"weights": {"latency": 0.0, "cost": "auto"}},
    )
    frames, rng = await units(world, candidate, 2_000, ours=0.0, theirs=0.0), Random(8)
    treated = {f.id: f.role == "challenger" for f in frames if isinstance(f, Assignment)}
    for frame in [frame for frame in frames if isinstance(frame, Outcome)]:
        object.__setattr__(frame, "cost_usd", 0.005 if treated[frame.id] else 0.05)
        score = (quality if treated[frame.id] else 0.9) + rng.uniform(-0.1, 0.1)
        number = int(frame.id.removeprefix("r"))
        frames.append(signal(number, "feedback", {"score": score}, at=frame.at + 0.1))
    await world.record(frames)
    world.now += 6
    return candidate, await Promotion().step(candidate, world.context())


async def test_savings_do_not_buy_worse_answers(world: World) -> None:
    """Its reward is far higher, for it saves far more than its answers lose."""
    _, move = await cheaper(world, 0.75, margin=0.05)
    assert move is not None
    assert move.event == "expire"
    assert "non_inferiority.quality" in move.reason
    assert move.measured["e_values"]["reward"] > move.measured["threshold"]
    assert move.measured["e_value"] == move.measured["e_values"]["quality"] < 1
    assert move.measured["estimates"]["quality"] == pytest.approx(-0.15, abs=0.03)
    (experiment,) = await world.registry.experiments(POLICY)
    assert experiment.verdict == "INCONCLUSIVE"
    assert (await production_of(world.registry, POLICY))[0].label == "v1.0"


async def test_savings_without_hope_for_quality_make_room_for_another(world: World) -> None:
    candidate, move = await cheaper(world, 0.84, margin=0.05)
    assert move is not None
    assert move.event is None
    await world.candidate("judged", id="beef", genome=with_rule(world.production.genome, "Another rule."))
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert (move.event, "no proof in sight" in move.reason) == ("expire", True)


@pytest.mark.parametrize(("quality", "margin"), [(0.9, 0.05), (0.75, 1.0)], ids=["as good", "not asked for"])
async def test_savings_are_promoted_where_answers_are_as_good_or_nobody_minds(
    world: World, quality: float, margin: float
) -> None:
    candidate, _ = await cheaper(world, quality, margin)
    production, _ = await production_of(world.registry, POLICY)
    assert (production.label, production.genome) == ("v1.1", candidate.genome)
    assert production.evidence["e_values"]["quality"] > production.evidence["threshold"]


async def test_an_outcome_after_the_deadline_counts_as_missing(world: World) -> None:
    candidate = await canary(world)
    frames = await units(world, candidate, 200, ours=0.0, theirs=0.0, settled_after=5.5)
    await world.record(frames)
    world.now += 20
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert sum(move.measured["units"]) == 200
    assert move.measured["estimates"]["failure"] == pytest.approx(0.0, abs=0.2)
    rewards = await world.store.units(POLICY, deadline_s=5.0, until=world.now, after=(0.0, ""))
    assert all(unit.missing for unit in rewards)


async def test_units_wait_for_their_deadline_and_feedback_in_time_counts(world: World) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 20, ours=0.0, theirs=0.0))
    assert await world.store.units(POLICY, deadline_s=5.0, until=world.now - 5.0, after=(0.0, "")) == []
    at = world.now
    await world.record(
        [signal(19, "feedback", {"score": 0.0}, at=at + 4), signal(18, "feedback", {"score": 0.0}, at=at + 9)]
    )
    found = await world.store.units(POLICY, deadline_s=5.0, until=world.now, after=(0.0, ""))
    assert [unit.score for unit in found[-2:]] == [None, 0.0]
    assert [unit.id for unit in found] == [f"r{n:06d}" for n in range(20)]


async def test_a_restart_comes_to_the_same_numbers(world: World) -> None:
    candidate = await canary(world)
    once, twice = Promotion(), Promotion()
    experiment = (await world.registry.experiments(POLICY))[0].id
    for part in range(3):
        await world.record(await units(world, candidate, 100, ours=0.3, theirs=0.1, start=100 * part))
        await once.step(candidate, world.context())
    world.now += 6
    await once.step(candidate, world.context())
    await twice.step(candidate, world.context())
    assert once.progress(experiment) == twice.progress(experiment)


async def test_mode_approve_asks_before_canary_and_before_promotion(world: World) -> None:
    world.configure(make_settings(policy={**FAST, "mode": "approve"}))
    told: list[tuple[str, str]] = []
    world.webhook.send = lambda event, policy, at, detail: told.append((event, detail.get("step", "")))  # type: ignore[method-assign]
    stations = line()
    candidate = await world.candidate("judged")
    for _ in range(3):
        await step_all(stations, world.context())
    assert (await world.registry.candidate(candidate.id)).state == "judged"
    await approve(world, candidate.id, "canary")
    await step_all(stations, world.context())
    waiting = await world.registry.candidate(candidate.id)
    assert waiting.state == "canary"
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    for _ in range(3):
        await step_all(stations, world.context())
    assert (await world.registry.candidate(candidate.id)).stations["promotion"]["proven"]
    assert (await production_of(world.registry, POLICY))[0].label == "v1.0"
    await approve(world, candidate.id, "promotion")
    await step_all(stations, world.context())
    assert (await production_of(world.registry, POLICY))[0].label == "v1.1"
    assert told == [("approval", "canary"), ("approval", "promotion"), ("promotion", "")]


async def approve(world: World, candidate: str, step: str) -> None:
    found = await world.registry.candidate(candidate)
    given = {**found.stations.get("approval", {}), step: {"who": "eve"}}
    await world.registry.advance(found, None, who="eve", reason="", now=world.now, station="approval", measured=given)


async def test_freeze_stops_everything(world: World) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    await world.registry.set_state("freeze", {"frozen": True})
    assert await step_all(line(), world.context()) == 0
    assert (await world.registry.candidate(candidate.id)).state == "canary"
    await world.registry.set_state("freeze", {"frozen": False})
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "promoted"


async def test_a_provider_outage_rests_learning(world: World) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    await world.registry.add_incident(Incident("p", POLICY, "PROVIDER", world.now, "sandbox", "down", {}))
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"
    await world.registry.resolve_incident("p", now=world.now)
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "promoted"


async def test_a_suspect_is_not_promoted(world: World) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    move = await Promotion().step(candidate, world.context(suspects=frozenset({candidate.id})))
    assert move is not None
    assert move.event is None
    assert "suspected" in move.reason


async def test_a_suspect_still_ends_at_the_horizon(world: World) -> None:
    candidate = await canary(world, promotion={"horizon_s": 60.0})
    await world.record(await units(world, candidate, 50, ours=0.1, theirs=0.1))
    world.now += 60
    move = await Promotion().step(candidate, world.context(suspects=frozenset({candidate.id})))
    assert move is not None
    assert move.event == "expire"


async def test_an_override_is_in_no_stream_and_never_promoted_by_itself(world: World) -> None:
    world.configure(make_settings(policy=FAST))
    candidate = await world.candidate("gated")
    candidate, experiment = await start_canary(
        world.registry, candidate, who="operator:eve", reason="now", counted=False, now=world.now
    )
    assert experiment.ordinal == 0
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert move.event is None


async def test_one_canary_at_a_time(world: World) -> None:
    await canary(world)
    genome = with_rule(world.production.genome, "Another rule.")
    second = await world.candidate("judged", id="beef", genome=genome)
    move = await CanaryStart().step(second, world.context())
    assert move is not None
    assert move.event is None


async def test_another_version_in_production_ends_the_comparison(world: World) -> None:
    candidate = await canary(world)
    await other_version(world)
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert move.event == "expire"


async def other_version(world: World) -> Version:
    genome = with_rule(world.production.genome, "An operator's rule.")
    version = await world.registry.add_version(
        POLICY, genome, candidate_lineage(), who="operator", why="by hand", now=world.now
    )
    _, pointer = await production_of(world.registry, POLICY)
    await world.registry.move(
        POLICY, version.label, expected_revision=pointer.revision, who="operator", why="by hand", now=world.now
    )
    return version


def candidate_lineage() -> Any:
    return Lineage(source="operator")


async def test_a_deployment_that_was_cut_off_is_finished(world: World) -> None:
    """Killed behind the move of the pointer: the candidate is still in canary, production is already its genome."""
    candidate = await canary(world)
    version = await world.registry.add_version(
        POLICY,
        candidate.genome,
        candidate.lineage,
        who="evolver",
        why="proven",
        now=world.now,
        evidence={"candidate": candidate.id, "e_value": 99.0},
    )
    await world.registry.move(POLICY, version.label, expected_revision=1, who="evolver", why="proven", now=world.now)
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "promoted"
    assert [v.label for v in await world.registry.versions(POLICY)] == ["v1.0", "v1.1"]
    (experiment,) = await world.registry.experiments(POLICY)
    assert experiment.verdict == "PROMOTE"
    assert (world.home / "prompt_registry" / "p_v1_1.json").exists()


# --- the watch -----------------------------------------------------------------------------------------------


async def put_evidence(world: World, writers: int, per_writer: int, *, ours: float, theirs: float) -> None:
    """What each writer's gateway would exchange."""
    (experiment,) = await world.registry.experiments(POLICY, running=True)
    rng, breaker = Random(5), world.settings.policies[POLICY].breaker
    rows: list[Totals] = []
    for writer in range(writers):
        evidence = ExperimentEvidence(
            experiment.id, alpha=breaker.alpha, ratio=breaker.ratio, window_s=breaker.window_s, deadline_s=5.0
        )
        for number in range(per_writer):
            at, treated = world.now + 0.05 * number, rng.random() < 0.5
            evidence.assigned(f"{writer}-{number}", at=at, challenger=treated, q=0.5)
            failed = rng.random() < (theirs if treated else ours)
            evidence.settled(f"{writer}-{number}", "refusal" if failed else None, now=at)
        evidence.advance(world.now + 60)
        totals = evidence.totals()
        rows += [
            Totals("evidence", experiment.id, f"w{writer}", bucket, orjson.loads(orjson.dumps(data)), 0.0, world.now)
            for bucket, data in totals.items()
        ]
    await world.registry.put_totals(rows)


async def test_the_sum_of_the_fleet_trips_where_no_writer_would(world: World) -> None:
    candidate = await canary(world)
    await put_evidence(world, 10, 60, ours=0.05, theirs=0.3)
    world.now += 20
    watch = Watch()
    await watch.look(world.context())
    assert (await world.registry.candidate(candidate.id)).state == "rolled_back"
    (incident,) = await world.registry.incidents(POLICY)
    assert incident.kind in ("TRIP", "SEVERE")
    assert [t.content_hash for t in await world.registry.tombstones(POLICY)] == [candidate.genome.content_hash]
    (experiment,) = await world.registry.experiments(POLICY)
    assert experiment.verdict == "ROLL BACK"
    await watch.look(world.context())
    assert len(await world.registry.incidents(POLICY)) == 1


async def test_an_identical_candidate_stays(world: World) -> None:
    candidate = await canary(world)
    await put_evidence(world, 10, 60, ours=0.1, theirs=0.1)
    world.now += 20
    watch = Watch()
    await watch.look(world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"
    assert watch.verdicts == {candidate.id: "CLEAR"}


async def promoted_with_holdback(world: World) -> Candidate:
    stations = line()
    candidate = await canary(world, breaker={"deadline_s": 5.0, "window_s": 300.0})
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    await step_all(stations, world.context())
    return await world.registry.candidate(candidate.id)


@pytest.mark.parametrize(("harm", "state"), [(0.5, "rolled_back"), (0.05, "promoted")])
async def test_the_holdback_ejects_a_harmful_promotion_only(world: World, harm: float, state: str) -> None:
    candidate = await promoted_with_holdback(world)
    (holdback,) = await world.registry.holdbacks()
    old, new = world.production.genome.content_hash, candidate.genome.content_hash
    rng, frames = Random(11), []
    for number in range(5_000, 6_000):
        world.now += 0.05
        held = rng.random() < 0.1
        failed = rng.random() < (0.05 if held else harm)
        frames += exchange(
            number,
            at=world.now,
            arm=old if held else new,
            arms=[(new, 0.9), (old, 0.1)],
            role="holdback" if held else "production",
            experiment=holdback.experiment,
            first=True,
            version="v1.1",
            failure="refusal" if failed else None,
        )
    await world.record(frames)
    world.now += 6
    await Watch().look(world.context())
    assert (await world.registry.candidate(candidate.id)).state == state
    production, _ = await production_of(world.registry, POLICY)
    assert production.label == ("v1.0" if state == "rolled_back" else "v1.1")
    kinds = [incident.kind for incident in await world.registry.incidents(POLICY)]
    assert kinds == (["EJECT"] if state == "rolled_back" else [])


async def test_a_move_that_comes_too_late_changes_nothing(world: World) -> None:
    candidate = await canary(world)
    await world.registry.advance(candidate, "trip", who="w0", reason="harm", now=world.now)
    await Watch().look(world.context())
    stale = await world.registry.candidate(candidate.id)
    assert await step_all(line(), world.context()) == 0
    assert (await world.registry.candidate(candidate.id)) == stale
    with pytest.raises(ConflictError):
        await carry_out(Move("pass", "late"), candidate, world.context())


async def test_the_most_promising_goes_first(world: World) -> None:
    world.configure(make_settings(policy=FAST))
    for name, estimate, liked in (("aaa", 0.02, 0.0), ("bbb", 0.049, 0.3), ("ccc", 0.05, 0.0)):
        genome = with_rule(world.production.genome, f"Rule {name}.")
        stations = {"shadow": {"quality": {"estimate": estimate}}, "judge": {"preferences": [liked] * 24}}
        await world.candidate("judged", id=name, genome=genome, stations=stations)
    await step_all(line(), world.context())
    states = {c.id: c.state for c in await world.registry.candidates(POLICY)}
    assert states == {"aaa": "judged", "bbb": "canary", "ccc": "judged"}


@pytest.mark.parametrize(("waiting", "event"), [(True, "expire"), (False, None)])
async def test_a_canary_without_hope_makes_room_only_for_another(
    world: World, waiting: bool, event: str | None
) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_500, ours=0.1, theirs=0.13))
    if waiting:
        await world.candidate("judged", id="beef", genome=with_rule(world.production.genome, "Another rule."))
    move = await Promotion().step(candidate, world.context())
    assert move is not None
    assert move.event == event


def promising(estimate: float) -> dict[str, Any]:
    """Stations of a candidate that has passed shadow and judge with that gain."""
    return {"shadow": {"quality": {"estimate": estimate}}}


@pytest.mark.parametrize(("promised", "yields"), [(0.15, True), (0.04, False)])
async def test_a_canary_gives_way_to_one_that_is_expected_to_gain_far_more(
    world: World, promised: float, yields: bool
) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 600, ours=0.12, theirs=0.1))
    world.now += 6
    genome = with_rule(world.production.genome, "Another rule.")
    await world.candidate("judged", id="beef", genome=genome, stations=promising(promised))
    for _ in range(2):
        await step_all(line(), world.context())
    states = {c.id: c.state for c in await world.registry.candidates(POLICY)}
    assert states == {candidate.id: "judged" if yields else "canary", "beef": "canary" if yields else "judged"}
    verdicts = [(e.ordinal, e.verdict) for e in await world.registry.experiments(POLICY)]
    assert sorted(verdicts) == ([(1, "INCONCLUSIVE"), (2, "")] if yields else [(1, "")])


async def test_who_gave_way_comes_back_once_and_stays(world: World) -> None:
    """Its second turn is a comparison of its own, with half of the breaker's error and the reward it began with."""
    candidate = await canary(world)
    await world.record(await units(world, candidate, 600, ours=0.12, theirs=0.1))
    world.now += 6
    genomes = [with_rule(world.production.genome, f"Rule {n}.") for n in range(2)]
    first = await world.candidate("judged", id="beef", genome=genomes[0], stations=promising(0.15))
    for _ in range(2):
        await step_all(line(), world.context())
    begun = (await world.registry.candidate(candidate.id)).stations["canary"]
    (running,) = await world.registry.experiments(POLICY, running=True)
    await world.registry.close_experiment(running.id, "INCONCLUSIVE", {}, now=world.now)
    first = await world.registry.candidate(first.id)
    await world.registry.advance(first, "expire", who="eve", reason="out of the way", now=world.now)
    await step_all(line(), world.context())
    back = await world.registry.candidate(candidate.id)
    assert (back.state, back.stations["canary"]) == ("canary", {**begun, "tries": begun["tries"] + 1})
    assert back.stations["promotion"]["units"] != [0, 0]
    await world.record(await units(world, back, 600, ours=0.12, theirs=0.1, start=1_000))
    world.now += 6
    await world.candidate("judged", id="cafe", genome=genomes[1], stations=promising(0.3))
    for _ in range(2):
        await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"


async def test_one_that_promises_little_lets_others_come_first_for_a_while(world: World) -> None:
    world.configure(make_settings(policy={**FAST, "shadow": {"horizon_s": 60.0}}))
    candidate = await world.candidate("judged", stations={"shadow": {"quality": {"estimate": 0.001}}})
    world.now += 9
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "judged"
    world.now += 2
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"


async def test_a_lower_reward_that_is_proven_rolls_back(world: World) -> None:
    candidate = await canary(world)
    await world.record(await units(world, candidate, 1_000, ours=0.05, theirs=0.6))
    world.now += 6
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "rolled_back"
    (incident,) = await world.registry.incidents(POLICY)
    (experiment,) = await world.registry.experiments(POLICY)
    assert (incident.kind, incident.subject, experiment.verdict) == ("TRIP", candidate.id, "ROLL BACK")
    assert incident.evidence["promotion"]["intervals"]["reward"]["high"] < 0


async def test_a_unit_counts_for_every_comparison_whose_arms_it_could_have_been_given(world: World) -> None:
    """The frame names one experiment; an operator's override beside it is compared with the same production units."""
    candidate = await canary(world)
    frames = await units(world, candidate, 600, ours=0.1, theirs=0.1)
    other = await world.candidate("gated", id="beef", genome=with_rule(world.production.genome, "An override."))
    other, _ = await start_canary(
        world.registry, other, who="operator:eve", reason="look", counted=False, now=world.now - 59
    )
    production, hash_of_other = world.production.genome.content_hash, other.genome.content_hash
    for frame in frames:
        if isinstance(frame, Assignment):
            object.__setattr__(
                frame, "arms", [(production, 0.5), (candidate.genome.content_hash, 0.2), (hash_of_other, 0.3)]
            )
            if frame.role == "challenger" and int(frame.id[1:]) % 2:
                object.__setattr__(frame, "arm", hash_of_other)
    await world.record(frames)
    world.now += 6
    move = await Promotion().step(other, world.context())
    assert move is not None
    assert move.event is None
    ours, theirs = move.measured["units"]
    assert ours > 350
    assert 30 < theirs < 120
    assert abs(move.measured["estimates"]["reward"]) < 0.9
