"""Models in worlds: quality by prompt, model and temperature; conversations; determinism."""

from random import Random
from statistics import fmean

import pytest

from gateway.sandbox.models import LARGE, SMALL
from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.provider import Provider
from gateway.sandbox.rules import HARMFUL_RULE
from gateway.sandbox.skills import dilution
from gateway.sandbox.tasks import draw_task
from gateway.sandbox.worlds import World
from tests.gateway.sandbox.support import BASE, all_rules, complete, drawn, grade, grades, mean

WORLDS = [World(11), World(12)]
N = 3000  # standard error of a mean about .009
EASE = 0.03  # more than three of them


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: f"world {w.seed}")
class TestQuality:
    def test_without_rules_answers_are_plausible_but_often_wrong(self, world: World) -> None:
        assert 0.55 - EASE <= mean(grades(world, drawn(world, N))) <= 0.68 + EASE

    @pytest.mark.parametrize("model", ["sandbox-large", "sandbox-medium"])
    def test_all_rules_stated_well(self, world: World, model: str) -> None:
        assert mean(grades(world, drawn(world, N), model=model, system=all_rules(world))) >= 0.93 - 0.015

    def test_each_main_rule_is_worth_finding(self, world: World) -> None:
        asked = drawn(world, N)
        before = mean(grades(world, asked))
        for rule in ("bare_label", "iso_dates", "reason", "all_arguments"):
            gain = mean(grades(world, asked, system=f"{BASE} {PARAPHRASES[rule].phrasings[0]}")) - before
            assert 0.08 - EASE <= gain <= 0.15 + EASE, rule

    def test_the_harmful_rule_hurts_only_what_no_validator_sees(self, world: World) -> None:
        asked = drawn(world, N)
        good = grades(world, asked, system=all_rules(world))
        bad = grades(world, asked, system=f"{all_rules(world)}\n{HARMFUL_RULE}")
        for family in ("classification", "choice", "arithmetic"):
            assert fmean(bad[family]) < 0.1
        for family in ("extraction", "tools"):
            assert fmean(bad[family]) > fmean(good[family]) - 0.05

    def test_held_out_words_count_where_they_are_switched_on(self, world: World) -> None:
        asked = drawn(world, N)
        words = all_rules(world, held_out=True)
        assert mean(grades(world, asked, system=words)) < 0.7
        opened = World(world.seed, recognisers="held_out")
        assert mean(grades(opened, asked, system=words)) > 0.9

    def test_small_is_cheap_fast_and_slips_more_when_hot(self, world: World) -> None:
        asked = drawn(world, N)
        rules = all_rules(world)
        cool, hot = (mean(grades(world, asked, model=SMALL.name, system=rules, temperature=t)) for t in (0.0, 1.5))
        assert cool - hot > 0.05
        assert cool < mean(grades(world, asked, system=rules)) - 0.05


def test_delays_by_model_and_tokens() -> None:
    world = WORLDS[0]
    provider, asked = Provider(world), drawn(world, 500)
    typical = {
        model: 1000 * fmean(complete(provider, task, model=model, system=BASE).delay_s for task in asked)
        for model in ("sandbox-large", "sandbox-medium", "sandbox-small")
    }
    assert typical["sandbox-large"] == pytest.approx(40, abs=5)
    assert typical["sandbox-medium"] == pytest.approx(20, abs=3)
    assert typical["sandbox-small"] == pytest.approx(8, abs=1.5)
    thinking = [complete(provider, task, model="sandbox-large", system="Think step by step.") for task in asked]
    assert 1000 * fmean(answer.delay_s for answer in thinking) > typical["sandbox-large"] + 4


def test_dilution_and_contradiction_hurt() -> None:
    world = WORLDS[0]
    asked = [draw_task(Random(seed), world, "classification") for seed in range(800)]
    rule = "Reply with only the category label."
    clear = mean(grades(world, asked, system=rule))
    diluted = mean(grades(world, asked, system=f"{rule} {'The company was founded long ago by two friends. ' * 100}"))
    torn = mean(grades(world, asked, system=f"{rule} Always explain your answer."))
    assert diluted < clear - 0.1
    assert torn < clear - 0.1
    assert dilution(LARGE.attention_words, LARGE.attention_words) == 1.0


def test_examples_teach_the_format() -> None:
    world = WORLDS[0]
    provider = Provider(world)
    example, *asked = [draw_task(Random(seed), world, "extraction", system="") for seed in range(300)]
    right = complete(provider, example, model="sandbox-large", system=all_rules(world), temperature=0)
    assert grade(example, right) == 1.0
    shown = [*example.messages, {"role": "assistant", "content": "".join(right.said[0].tokens)}]
    scores = []
    for task in asked:
        body = {**task.body("sandbox-large"), "messages": [*shown, *shown, *task.messages]}
        scores.append(grade(task, provider.complete(provider.understand(body))))
    assert fmean(scores) > mean(grades(world, asked)) + 0.15


@pytest.mark.parametrize("family", ["classification", "extraction", "tools", "choice"])
def test_a_correction_holds_for_the_conversation(family: str) -> None:
    world = WORLDS[0]
    provider = Provider(world)
    before, after, later = [], [], []
    for seed in range(300):
        task, following = (draw_task(Random(f"{seed}{n}"), world, family) for n in "ab")  # type: ignore[arg-type]
        first = complete(provider, task, model="sandbox-large", system=BASE)
        before.append(grade(task, first))
        turn = task.follow_up("".join(first.said[0].tokens))
        corrected = provider.complete(provider.understand({**task.body("sandbox-large"), "messages": turn}))
        after.append(grade(task, corrected))
        turn = [*turn, {"role": "assistant", "content": "Here you are."}, following.messages[-1]]
        later.append(
            grade(
                following, provider.complete(provider.understand({**following.body("sandbox-large"), "messages": turn}))
            )
        )
    assert fmean(after) > 0.9 > fmean(before)
    if family != "extraction":  # whose rules differ from task to task, so that a correction may have named one only
        assert fmean(later) > 0.9


def test_memory_answers_what_nobody_can_know() -> None:
    world = WORLDS[0]
    asked = [draw_task(Random(seed), world, "knowledge") for seed in range(600)]
    memory = "\n".join(fact.text for fact in world.facts)
    ground = PARAPHRASES["ground"].phrasings[0]
    without = mean(grades(world, asked, system=ground))
    assert without < 0.8
    assert mean(grades(world, asked, system=f"{ground}\n{memory}")) > 0.9


def test_same_seed_same_answers_other_attempt_other_draws() -> None:
    world = WORLDS[0]
    asked = drawn(world, 60)
    one, two = Provider(world), Provider(World(world.seed))

    def texts(provider: Provider, temperature: float) -> list[object]:
        return [complete(provider, t, model="sandbox-small", system=BASE, temperature=temperature).said for t in asked]

    first = texts(one, 1.0)
    assert texts(two, 1.0) == first
    assert texts(one, 1.0) != first
    assert texts(one, 0.0) == texts(one, 0.0)


def test_worlds_differ_and_their_hash_says_so() -> None:
    assert World(3).world_hash == World(3).world_hash
    hashes = {World(seed).world_hash for seed in range(20)} | {World(3, recognisers="all").world_hash}
    assert len(hashes) == 21
    assert {World(seed).precedence for seed in range(20)} == {"first", "last"}


def test_failure_rate_is_the_models() -> None:
    provider = Provider(WORLDS[0], failure_scale=10.0)
    body = {"model": "sandbox-small", "messages": [{"role": "user", "content": "hi"}]}
    failures = [provider.fails(provider.understand(body)) for _ in range(2000)]
    assert set(failures) == {None, 500, 503}
    share = sum(failure is not None for failure in failures) / len(failures)
    assert share == pytest.approx(0.08, abs=0.025)  # four standard errors
