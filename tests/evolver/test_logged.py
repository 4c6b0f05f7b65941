"""Off-policy estimates of candidates whose content was in the log, and no number for any other."""

from dataclasses import replace
from random import Random

import pytest

from evolver.conveyor import step_all
from evolver.logged import compared, from_the_log
from evolver.stations import line
from evolver.stations.canary import promise
from evolver.store import Unit
from policies.registry.values import Candidate
from tests.evolver.support import POLICY, World, exchange, make_settings, with_rule

ODDS = (("p", 0.6), ("c", 0.3), ("x", 0.1))


def unit(rng: Random, number: int, rates: dict[str, float]) -> Unit:
    arm = rng.choices([a for a, _ in ODDS], [q for _, q in ODDS])[0]
    reward = float(rng.random() < rates[arm])
    return Unit(
        id=str(number), at=float(number), arm=arm, intent="", arms=ODDS, missing=False, failure=None, validators={},
        latency_ms=1.0, cost_usd=0.0, output_tokens=1, repairs=0, reward=reward, score=None,
    )  # fmt: skip


def test_the_gain_is_that_of_the_two_arms() -> None:
    rng = Random(1)
    found = compared([unit(rng, n, {"p": 0.5, "c": 0.7, "x": 0.0}) for n in range(4_000)], "c", "p")
    assert found["gain"] == pytest.approx(0.2, abs=0.06)
    for name in ("ips", "snips", "doubly_robust"):
        assert found["candidate"][name]["low"] < 0.7 < found["candidate"][name]["high"]
    assert found["candidate"]["effective"] == pytest.approx(1_200, rel=0.15)


def test_too_short_a_log_gives_the_reason_and_no_number() -> None:
    rng = Random(2)
    found = compared([unit(rng, n, {"p": 0.5, "c": 0.7, "x": 0.0}) for n in range(300)], "c", "p")
    assert found["gain"] is None
    assert "200 are needed" in found["candidate"]["refused"]
    assert "snips" not in found["candidate"]


def test_content_that_nobody_was_given_has_no_overlap() -> None:
    rng = Random(3)
    found = compared([unit(rng, n, {"p": 0.5, "c": 0.7, "x": 0.0}) for n in range(3_000)], "new", "p")
    assert found["gain"] is None
    assert found["candidate"]["units"] == 0


def standing(log: dict[str, float | None]) -> Candidate:
    stations = {"shadow": {"quality": {"estimate": 0.3}}, "log": log}
    return Candidate("c", "p", "prompt", None, "v1.0", None, "judged", 0.0, 0.0, stations=stations)  # type: ignore[arg-type]


def test_users_count_instead_of_the_shadow_where_they_have_spoken() -> None:
    assert promise(standing({"gain": None})) == pytest.approx(0.3)
    assert promise(standing({"gain": -0.1})) == pytest.approx(-0.1)


def test_what_the_judge_likes_counts_by_how_little_it_scatters() -> None:
    def liked(preferences: list[float]) -> float:
        one = standing({"gain": 0.0})
        return promise(replace(one, stations={**one.stations, "judge": {"preferences": preferences}}))

    steady, scattered = liked([0.0, 0.5] * 40), liked([1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0] * 10)
    assert liked([]) == 0.0
    assert 0.0 < scattered < steady < 0.25
    assert liked([0.0, 0.5] * 400) == pytest.approx(0.25, abs=0.03)


async def test_the_line_looks_content_up_that_returns(world: World) -> None:
    world.configure(make_settings(policy={"breaker": {"deadline_s": 5.0}}))
    again = with_rule(world.production.genome, "Say the number first.")
    ours, theirs = world.production.genome.content_hash, again.content_hash
    rng, frames = Random(4), []
    for number in range(1_500):
        arm = theirs if rng.random() < 0.3 else ours
        reward = float(rng.random() < (0.9 if arm == theirs else 0.5))
        arms = [(ours, 0.7), (theirs, 0.3)]
        frames += exchange(number, at=world.now, arm=arm, arms=arms, reward=reward, first=True, why="draw")
    await world.record(frames)
    world.now += 10
    candidate = await world.candidate("shadow", genome=again)
    await step_all(line(), world.context())
    log = (await world.registry.candidate(candidate.id)).stations["log"]
    assert log["gain"] == pytest.approx(0.4, abs=0.08)
    assert log["candidate"]["units"] == 1_500
    other = await from_the_log(POLICY, "unheard of", ours, world.context())
    assert other["gain"] is None
