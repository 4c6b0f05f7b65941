"""Off-policy estimates of candidates whose content was in the log, and no number for any other."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest
from scipy.stats import binom

from evolver.conveyor import step_all
from evolver.cycle import propose_all
from evolver.logged import Log, compared, from_the_log
from evolver.proposals.overlapping import logged_ideas
from evolver.proposals.values import SetGene
from evolver.provider import Completion
from evolver.search.genes import BY_NAME
from evolver.stations import line
from evolver.stations.turns import promise
from evolver.store import Unit
from policies.actions import Actor, Terms
from policies.genome import Genome
from policies.registry.values import Candidate
from tests.evolver.support import POLICY, World, exchange, make_settings, with_rule

Odds = Sequence[tuple[Genome, float]]
Rate = Callable[[Genome, str, str], float]  # (arm, model that it chooses, intent) -> odds of a reward of 1
PRODUCTION = Genome.model_validate({"strategy": {"model_key": "large"}})
RETURNED = Genome.model_validate({"prompt": {"rubric": ["Once more."]}, "strategy": {"model_key": "large"}})
OTHER = Genome.model_validate({"strategy": {"model_key": "small"}})
ODDS = ((PRODUCTION, 0.6), (RETURNED, 0.3), (OTHER, 0.1))
RATES = {PRODUCTION: 0.5, RETURNED: 0.7, OTHER: 0.0}


def log_of(units: Iterable[Unit], *genomes: Genome) -> Log:
    return Log(list(units), {one.content_hash: Actor.of(one) for one in genomes})


actor_of = cache(Actor.of)


def unit(rng: Random, number: int, odds: Odds, rate: Rate, *, intent: str = "", terms: Terms | None = None) -> Unit:
    """Drawn by the odds, rewarded by what its arm does; the router's terms only where the drawn arm weighs them."""
    genome = rng.choices([g for g, _ in odds], [q for _, q in odds])[0]
    actor = actor_of(genome)
    reward = float(rng.random() < rate(genome, actor.action(intent, terms)[1], intent))
    return Unit(
        id=str(number), at=float(number), arm=actor.content, intent=intent,
        arms=tuple((actor_of(g).content, q) for g, q in odds), missing=False, failure=None, validators={},
        latency_ms=1.0, cost_usd=0.0, output_tokens=1, repairs=0, reward=reward, score=None,
        terms={key: [*row] for key, row in terms.items()} if terms and actor.weighs(intent) else None,
    )  # fmt: skip


def drawn(rng: Random, count: int) -> Log:
    units = (unit(rng, number, ODDS, lambda genome, *_: RATES[genome]) for number in range(count))
    return log_of(units, *RATES)


def test_the_gain_is_that_of_the_two_arms() -> None:
    found = compared(drawn(Random(1), 4_000), RETURNED, PRODUCTION)
    assert found["gain"] == pytest.approx(0.2, abs=0.06)
    assert found["low"] < 0.2 < found["high"]
    for name in ("ips", "snips", "doubly_robust"):
        assert found["candidate"][name]["low"] < 0.7 < found["candidate"][name]["high"]
    assert found["candidate"]["effective"] == pytest.approx(1_200, rel=0.15)
    assert found["covered"] == 1.0


def test_too_short_a_log_gives_the_reason_and_no_number() -> None:
    found = compared(drawn(Random(2), 300), RETURNED, PRODUCTION)
    assert found["gain"] is None
    assert "low" not in found
    assert "200 are needed" in found["candidate"]["refused"]
    assert "snips" not in found["candidate"]


def test_content_that_nobody_was_given_has_no_overlap() -> None:
    new = Genome.model_validate({"prompt": {"rubric": ["Never said."]}, "strategy": {"model_key": "large"}})
    found = compared(drawn(Random(3), 3_000), new, PRODUCTION)
    assert found["gain"] is None
    assert found["candidate"]["units"] == 0


# -- a known truth: actions that overlap without the content ---------------------------------------------------

RUNS = 60
COVERED, PASSED = binom.ppf([0.001, 0.999], RUNS, [0.95, 0.025])  # of intervals at 95 %; of those above 0 by chance
BY_MODEL = {("large", "easy"): 0.8, ("small", "easy"): 0.9, ("large", "hard"): 0.8, ("small", "hard"): 0.3}
TRIED = ((PRODUCTION, 0.7), (OTHER, 0.3))


def strategy(**genes: Any) -> Genome:
    return Genome.model_validate({"strategy": genes})


def mixed(rng: Random, rates: dict[tuple[str, str], float], count: int = 2_000) -> Log:
    """Half the requests are easy; the small model was in canary on all of them."""
    intents = (rng.choice(("easy", "hard")) for _ in range(count))
    units = (
        unit(rng, number, TRIED, lambda _, model, what: rates[model, what], intent=intent)
        for number, intent in enumerate(intents)
    )
    return log_of(units, PRODUCTION, OTHER)


def covers(interval: dict[str, Any], truth: float) -> bool:
    return bool(interval["low"] <= truth <= interval["high"])


def test_models_by_intent_that_nobody_was_given_are_estimated_from_two_that_were() -> None:
    target = strategy(model_key="large", intent_models={"easy": "small"})
    assert target.content_hash not in {PRODUCTION.content_hash, OTHER.content_hash}
    found = [compared(mixed(Random(seed), BY_MODEL), target, PRODUCTION) for seed in range(RUNS)]
    assert sum(covers(one, 0.05) for one in found) >= COVERED
    for name in ("ips", "snips", "doubly_robust"):
        assert sum(covers(one["candidate"][name], 0.85) for one in found) >= COVERED
    assert all(one["candidate"]["effective"] >= 200.0 for one in found)


AUTO_CHEAP = {"model_key": "auto", "router_capability": 1.0}
CAUTIOUS, BOLD = strategy(**AUTO_CHEAP, router_cost=0.1), strategy(**AUTO_CHEAP, router_cost=2.0)
BETWEEN = strategy(**AUTO_CHEAP, router_cost=0.5)


def weighed(rng: Random) -> Terms:
    """The large model's capability differs from request to request, the small one costs a tenth."""
    return {"large": [0.0, rng.choice((0.5, 1.0)), 0.0, 1.0, 0.0], "small": [0.0, 0.3, 0.0, 0.1, 0.0]}


def test_router_weights_that_nobody_was_given_are_estimated_from_recorded_terms() -> None:
    """What a router chooses is worked out again; where it chooses what an arm did, that arm's rewards speak for it."""
    odds = ((CAUTIOUS, 0.6), (BOLD, 0.4))

    def rate(terms: Terms) -> Rate:
        needs = terms["large"][1] > 0.9
        return lambda _genome, model, _intent: 0.9 if model == "large" or not needs else 0.4

    def chosen(genome: Genome) -> set[str]:
        return {Actor.of(genome).action("", weighed(Random(seed)))[1] for seed in range(20)}

    assert [chosen(one) for one in (CAUTIOUS, BOLD, BETWEEN)] == [{"large"}, {"small"}, {"large", "small"}]

    def log(seed: int) -> Log:
        rng, units = Random(seed), []
        for number in range(1_500):
            terms = weighed(rng)
            units.append(unit(rng, number, odds, rate(terms), terms=terms))
        return log_of(units, CAUTIOUS, BOLD)

    truth = value_of(BETWEEN, rate) - value_of(CAUTIOUS, rate)
    found = [compared(log(seed), BETWEEN, CAUTIOUS) for seed in range(RUNS)]
    judged = [one for one in found if one["gain"] is not None]
    assert len(judged) == RUNS
    assert sum(covers(one, truth) for one in judged) >= COVERED


def value_of(genome: Genome, rate: Callable[[Terms], Rate]) -> float:
    """Its true mean reward on the units that it can be judged on; both kinds of request are as frequent."""
    rng, actor = Random(0), Actor.of(genome)
    kinds = {terms["large"][1]: terms for terms in (weighed(rng) for _ in range(50))}
    return sum(rate(terms)(genome, actor.action("", terms)[1], "") for terms in kinds.values()) / len(kinds)


def test_terms_that_only_some_arms_leave_behind_are_not_looked_at() -> None:
    """Looking at them where they happen to be would make the odds depend on the draw: 0.9 instead of 0.5 here."""
    small, auto = strategy(model_key="small"), BOLD
    odds = ((small, 0.5), (auto, 0.5))
    rng = Random(5)
    units = [
        unit(rng, number, odds, lambda genome, *_: 0.1 if genome is small else 0.9, terms=weighed(rng))
        for number in range(2_000)
    ]
    found = compared(log_of(units, small, auto), small, auto)
    assert found["candidate"]["snips"]["value"] == pytest.approx(0.1, abs=0.03)
    assert found["production"]["snips"]["value"] == pytest.approx(0.9, abs=0.03)


def ideas(log: Log) -> list[str]:
    found = logged_ideas(
        PRODUCTION,
        Counter(one.intent for one in log.units),
        ("large", "small"),
        lambda one: compared(log, one, PRODUCTION),
    )
    return [str(idea.edit.value) for idea in found if isinstance(idea.edit, SetGene)]


def test_what_the_log_speaks_for_is_proposed_and_nothing_else() -> None:
    (proposed,) = ideas(mixed(Random(1), BY_MODEL, 6_000))
    assert "easy" in proposed
    assert "small" in proposed


def test_where_nothing_differs_an_idea_passes_as_seldom_as_its_interval_says() -> None:
    level = dict.fromkeys(BY_MODEL, 0.8)
    passed = Counter(value for seed in range(RUNS) for value in ideas(mixed(Random(seed), level, 1_000)))
    assert all(count <= PASSED for count in passed.values()), passed


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
    other = await from_the_log(POLICY, with_rule(again, "Unheard of."), world.production.genome, world.context())
    assert other["gain"] is None


async def test_a_cycle_proposes_what_users_were_given_and_liked_better(world: World) -> None:
    """The small model was in canary and ended; production went on. Its rewards by intent are a proposal."""
    world.configure(make_settings(policy={"breaker": {"deadline_s": 5.0}}))
    production = world.production.genome
    small = BY_NAME["model_key"].write(production, "small")
    await world.candidate("rejected", genome=small)
    ours, theirs = production.content_hash, small.content_hash
    rng, frames = Random(8), []
    for number in range(2_000):
        arm = theirs if rng.random() < 0.3 else ours
        intent = rng.choice(("easy", "hard"))
        liked = {(theirs, "easy"): 0.95, (theirs, "hard"): 0.1}.get((arm, intent), 0.6)
        frames += exchange(
            number, at=world.now, arm=arm, arms=[(ours, 0.7), (theirs, 0.3)], intent=intent,
            reward=float(rng.random() < liked), first=True, why="draw",
        )  # fmt: skip
    await world.record(frames)
    world.now += 10
    proposals = await propose_all(POLICY, world.production, [], [], world.context(), complete=nobody)
    (found,) = [one for one in proposals if one.lineage.operator.startswith("log:")]
    assert {pair.intent: pair.model for pair in found.genome.strategy.intent_models} == {"easy": "small"}
    assert "On the log" in found.lineage.explanation


async def nobody(_key: str, _body: dict[str, Any]) -> Completion:
    raise AssertionError("no model is asked")
