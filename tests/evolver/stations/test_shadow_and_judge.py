"""Shadow and judge: paired evidence, horizons, and no promotion out of a failure to judge."""

from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from evolver.conveyor import carry_out
from evolver.provider import Completion
from evolver.stations.judging import Judging, decide
from evolver.stations.shadow import Shadow
from gateway.sandbox.app import running_sandbox
from policies.outcome import Answer
from policies.registry.values import Candidate
from tests.evolver.support import POLICY, World, exchange, make_settings, shadow

FAST = {"shadow": {"min_pairs": 50, "horizon_s": 100.0}, "breaker": {"deadline_s": 10.0}}


async def pairs(world: World, candidate: str, count: int, *, start: int = 0, **theirs: Any) -> None:
    """Requests answered by both; production is right 9 times in 10."""
    rng = Random(start)
    frames: list[Any] = []
    for number in range(start, start + count):
        ours = 1.0 if rng.random() < 0.9 else 0.0
        frames += exchange(number, at=world.now, reward=ours)
        frames.append(shadow(number, candidate, at=world.now + 1, **{"reward": ours, **theirs}))
    await world.record(frames)


async def in_shadow(world: World, **changes: Any) -> Candidate:
    world.configure(make_settings(policy=FAST))
    return await world.candidate("shadow", **changes)


async def test_an_equal_candidate_passes_and_then_its_judge_is_asked(world: World) -> None:
    candidate, station = await in_shadow(world), Shadow()
    await pairs(world, candidate.id, 40)
    assert await station.step(candidate, world.context()) is None  # fewer than min_pairs
    assert station.progress(candidate.id)["pairs"] == 40
    await pairs(world, candidate.id, 200, start=40)
    move = await station.step(candidate, world.context())
    assert move is not None
    assert (move.event, move.measured["verdict"], move.measured["pairs"]) == (None, "pass", 240)
    assert move.measured["quality"]["low"] <= 0.0 <= move.measured["quality"]["high"]
    candidate = await carry_out(move, candidate, world.context())
    assert await station.step(candidate, world.context()) is None


@pytest.mark.parametrize(
    ("worse", "name"),
    [
        ({"reward": 0.3}, "quality"),
        ({"last_byte_ms": 3_000.0}, "latency"),
        ({"cost_usd": 0.018}, "cost"),
        ({"failure": "refusal", "reward": 0.0}, "quality"),
    ],
)
async def test_a_worse_candidate_fails(world: World, worse: dict[str, Any], name: str) -> None:
    candidate = await in_shadow(world)
    await pairs(world, candidate.id, 300, **worse)
    move = await Shadow().step(candidate, world.context())
    assert move is not None
    assert move.event == "fail"
    assert name in move.reason


async def test_too_few_pairs_by_the_horizon_are_no_pass(world: World) -> None:
    candidate, station = await in_shadow(world), Shadow()
    await pairs(world, candidate.id, 20)
    world.now += 99
    assert await station.step(candidate, world.context()) is None
    world.now += 1
    move = await station.step(candidate, world.context())
    assert move is not None
    assert move.event == "expire"


async def test_pairs_wait_for_productions_outcome_until_its_deadline(world: World) -> None:
    candidate, station = await in_shadow(world), Shadow()
    late = exchange(1, at=world.now)
    await world.record([late[0], shadow(1, candidate.id), *exchange(2), shadow(2, candidate.id)])
    await station.step(candidate, world.context())
    assert station.progress(candidate.id)["pairs"] == 0
    await world.record([late[1]], writer="w1")
    await station.step(candidate, world.context())
    assert station.progress(candidate.id)["pairs"] == 2
    await world.record([exchange(3, at=world.now)[0], shadow(3, candidate.id, at=world.now)])
    world.now += 10
    await station.step(candidate, world.context())
    assert (station.progress(candidate.id)["pairs"], station.progress(candidate.id)["excluded"]) == (2, 1)


async def test_a_restart_reads_the_same_pairs_again(world: World) -> None:
    candidate, station = await in_shadow(world), Shadow()
    await pairs(world, candidate.id, 45)
    await station.step(candidate, world.context())
    reborn = Shadow()
    await reborn.step(candidate, world.context())
    assert reborn.progress(candidate.id) == station.progress(candidate.id)


async def test_pairs_of_one_hour_do_not_pass_where_more_hours_are_asked_for(world: World) -> None:
    candidate, station = await in_shadow(world), Shadow()
    world.configure(make_settings(policy={**FAST, "shadow": {**FAST["shadow"], "min_hours": 3, "horizon_s": 1e6}}))
    for hour in range(3):
        await pairs(world, candidate.id, 150, start=150 * hour)
        move = await station.step(candidate, world.context())
        assert (move is None) == (hour < 2)
        world.now += 3_600.0
    assert move is not None
    assert move.measured["verdict"] == "pass"
    assert len(move.measured["hours"]) == 3


# --- the judge -----------------------------------------------------------------------------------------------


async def shadowed(world: World, **changes: Any) -> Candidate:
    return await world.candidate("shadow", stations={"shadow": {"verdict": "pass"}}, **changes)


async def test_no_judge_no_promotion_unless_the_operator_said_so(world: World) -> None:
    candidate = await shadowed(world)
    world.configure(make_settings(judge={"model_key": None}))
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    assert "judge" in move.reason
    world.configure(make_settings(judge={"model_key": None, "required": False}))
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert (move.event, move.measured) == ("pass", {"required": False})


async def test_it_is_not_asked_before_the_shadow_has_passed(world: World) -> None:
    assert await Judging().step(await world.candidate("shadow"), world.context()) is None


@pytest.mark.parametrize(
    "genes",
    [{"model_key": "judge"}, {"use_consensus": True, "voter_models": ("judge",)}, {"cascade_model": "judge"}],
    ids=["own", "voter", "cascade"],
)
async def test_a_model_does_not_judge_itself(world: World, genes: dict[str, Any]) -> None:
    strategy = world.production.genome.strategy.model_copy(update=genes)
    genome = world.production.genome.model_copy(update={"strategy": strategy})
    candidate = await shadowed(world, genome=genome, layer="strategy")
    await pairs(world, candidate.id, 24)
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    assert "would judge" in move.reason


async def test_a_judge_that_does_not_answer_means_wait(world: World) -> None:
    candidate = await shadowed(world)
    await pairs(world, candidate.id, 24, answer={"text": "another answer altogether", "tool_calls": []})
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    assert "did not answer" in move.reason


@pytest.mark.parametrize("reply", ["", "A or B", "[" * 5_000, '{"winner": "C"}', None])
async def test_a_judge_of_no_use_holds_a_candidate_up_and_then_ends_its_way(world: World, reply: str | None) -> None:
    """It answers nonsense, or too late (None: its call has timed out)."""
    error = None if reply is not None else "no answer within 60 s"

    async def complete(_model_key: str, _body: dict[str, Any]) -> Completion:
        return Completion(200 if reply is not None else 0, {}, Answer(text=reply or ""), 1.0, 0.0, error)

    world.provider.complete = complete  # type: ignore[method-assign, assignment]
    candidate = await shadowed(world)
    await pairs(world, candidate.id, 24, answer={"text": "another answer altogether", "tool_calls": []})
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    late = world.context(now=world.now + 2 * world.settings.policies[POLICY].shadow.horizon_s)
    move = await Judging().step(candidate, late)
    assert move is not None
    assert move.event == "expire"
    assert move.reason.startswith("inconclusive")


async def test_equal_answers_pass_without_a_call(world: World) -> None:
    candidate = await shadowed(world)
    await pairs(world, candidate.id, 23)
    assert (await Judging().step(candidate, world.context())) is not None  # waits for one more
    await pairs(world, candidate.id, 1, start=23)
    move = await Judging().step(candidate, world.context())
    assert move is not None
    assert move.event == "pass"
    assert move.measured["mean"] == 1.0
    assert len(move.measured["samples"]) == 24
    assert world.provider.calls == 0


async def test_the_sandbox_judge_prefers_the_right_answer(served: World) -> None:
    candidate = await shadowed(served)
    await pairs(served, candidate.id, 24, answer={"text": "", "tool_calls": []})
    move = await Judging().step(candidate, served.context())
    assert move is not None
    assert move.event != "pass"
    assert move.measured["mean"] < 0.6


@pytest.mark.parametrize(
    ("scores", "looks", "event"),
    [
        ([1.0] * 24, 1, "pass"),
        ([1.0] * 18 + [0.0] * 6, 1, None),
        ([0.0] * 24, 1, "fail"),
        ([1.0] * 60 + [0.0] * 36, 4, "expire"),
        ([1.0] * 78 + [0.0] * 18, 4, "pass"),
    ],
)
def test_decisions(scores: list[float], looks: int, event: str | None) -> None:
    move = decide({"scores": scores, "looks": looks}, 0.6)
    assert move.event == event
    assert move.measured["low"] <= move.measured["mean"] <= move.measured["high"]


async def test_the_judge_is_asked_again_and_held_against_labels(world: World, tmp_path: Path) -> None:
    """Labels of people, a judge that is asked for them once, and the figures of both beside the score."""
    path = tmp_path / "labels.jsonl"
    question = {"messages": [{"role": "user", "content": "Hello there, how are you?"}]}
    rows = [
        {"body": question, "production": "fine", "candidate": "good" if n % 2 else "", "label": n % 2} for n in range(8)
    ]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    async with running_sandbox(3, delay_scale=0.0, failure_scale=0.0) as base_url:
        world.configure(make_settings(base_url, judge={"model_key": "judge", "labels": str(path)}))
        candidate = await shadowed(world)
        await pairs(world, candidate.id, 48, answer={"text": "it is four, I think", "tool_calls": []})
        move = await Judging().step(candidate, world.context())
        assert move is not None
        measured = move.measured
        assert len(measured.get("repeated", [])) == 2, move.reason
        assert measured["repeat_variance"] is not None
        assert measured["calibration"]["labels"] == 8
        assert measured["calibration"]["kappa"] > 0.7
        assert measured["calibration"]["corrected"]["mean"] == pytest.approx(measured["mean"], abs=0.15)
        calls = world.provider.calls
        again = await world.registry.candidate(candidate.id)
        await Judging().step(again, world.context())
        assert world.provider.calls - calls == 2 * (24 + 2), "the labelled pairs are not judged anew"


def test_with_enough_labels_the_corrected_mean_decides() -> None:
    scores = {"scores": [1.0] * 96, "looks": 1}
    flatterer = {"judged": [1.0] * 200, "labels": [0.0, 1.0] * 100}
    assert decide(scores, 0.6).event == "pass"
    move = decide(scores, 0.7, flatterer)
    assert move.event == "fail"
    assert "corrected by 200 labels" in move.reason
    few = {"judged": [1.0] * 20, "labels": [0.0, 1.0] * 10}
    move = decide(scores, 0.6, few)
    assert move.event == "pass"
    assert move.measured["calibration"]["corrected"]["mean"] == pytest.approx(0.5)
