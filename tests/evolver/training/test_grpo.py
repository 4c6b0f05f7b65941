"""GRPO finds planted rules, leaves harmful ones, keeps its budget, and says what stands behind its gain."""

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evolver.examples import Example
from evolver.search import Budget, Material, Score
from evolver.training import Curriculum, Hyper, Terms, Trained, grpo, slots
from evolver.training.policy import Categorical, advantages
from evolver.training.space import Slot, build
from policies.errors import ProviderError
from policies.genome import FewShot, Genome, PromptLayer, Rule, StrategyLayer
from tests.evolver.search.worlds import BAD, BASE, MATERIAL, World, true_quality
from tests.evolver.training.worlds import lessons

SPACE = slots(BASE, MATERIAL, "prompt")


def terms(seed: int = 0, *, calls: int = 400, usd: float = 10.0, **hyper: int) -> Terms:
    rng = np.random.default_rng(seed)
    return Terms(Budget(calls=calls, usd=usd), lambda genome, example: 0.001, rng, Hyper(**hyper), finding="f1")


async def run(seed: int, **changes: int) -> Trained:
    return await grpo(BASE, SPACE, lessons(), World(seed).evaluate, terms(seed, **changes))


async def test_it_learns_which_rules_help() -> None:
    found = [await run(seed) for seed in range(6)]
    qualities = [true_quality(one.genome or BASE) for one in found]
    assert np.mean(qualities) > 0.75  # 0.40 at the base, 0.86 at the prompt layer's best
    assert all(one.reward_gain is not None and one.reward_gain.low > 0.1 for one in found)


async def test_the_gain_is_measured_on_conversations_that_training_never_saw() -> None:
    world, curriculum = World(1), lessons()
    trained = await grpo(BASE, SPACE, curriculum, world.evaluate, terms(1))
    assert trained.genome is not None
    assert trained.reward_gain is not None
    held_out = {example.id for example in curriculum.held_out}
    assert trained.reward_gain.examples == len(held_out)
    assert [name for name, example in world.seen if example in held_out].count(trained.genome.content_hash) == len(
        held_out
    )
    assert {name for name, example in world.seen if example in held_out} == {
        BASE.content_hash,
        trained.genome.content_hash,
    }


async def test_the_outcome_is_json_with_the_statistics_of_its_groups() -> None:
    trained = await run(2)
    stored = json.loads(json.dumps(trained.to_dict()))
    assert stored["lineage"] | {"explanation": ""} == {
        "source": "rl_trainer",
        "operator": "grpo",
        "parents": [BASE.content_hash],
        "generation": 0,
        "finding": "f1",
        "explanation": "",
    }
    group = stored["groups"][0]
    assert group["size"] == 6
    assert 0 <= group["mean"] <= group["best"] <= 1
    assert stored["groups"][-1]["kl"] > group["kl"] > 0
    assert all(sum(options.values()) == pytest.approx(1, abs=0.01) for options in stored["policy"].values())


async def test_groups_without_variance_teach_nothing() -> None:
    async def flat(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [Score(0.5)] * len(examples)

    trained = await grpo(BASE, SPACE, lessons(), flat, terms(rounds=3))
    assert {group.skipped for group in trained.groups} == {"no variance"}
    assert {group.kl for group in trained.groups} == {0.0}
    assert trained.genome is None
    assert "no candidate" in trained.said


@pytest.mark.parametrize(("calls", "usd"), [(0, 1.0), (40, 1.0), (400, 0.0), (400, 0.04)])
async def test_a_small_budget_ends_in_words(calls: int, usd: float) -> None:
    world = World(3)
    trained = await grpo(BASE, SPACE, lessons(), world.evaluate, terms(3, calls=calls, usd=usd))
    assert (trained.genome, world.calls, trained.calls) == (None, 0, 0)
    assert "budget" in trained.said


@pytest.mark.parametrize("seed", range(3))
async def test_the_budget_holds(seed: int) -> None:
    world = World(seed)
    trained = await grpo(BASE, SPACE, lessons(), world.evaluate, terms(seed, calls=230, rounds=100))
    assert world.calls == trained.calls <= 230
    assert "budget" in trained.said


async def test_an_upstream_that_never_answers_gives_no_candidate() -> None:
    async def down(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        raise ProviderError("no answer")

    trained = await grpo(BASE, SPACE, lessons(), down, terms(rounds=2))
    assert trained.genome is None
    assert "no candidate" in trained.said
    assert "no answer" in trained.faults[0]


@pytest.mark.parametrize("kind", ["empty", "all good"])
async def test_one_sided_recordings_teach_nothing(kind: str) -> None:
    whole = lessons()
    good = () if kind == "empty" else whole.good
    one_sided = Curriculum((), good, (), () if kind == "empty" else whole.held_out)
    trained = await grpo(BASE, SPACE, one_sided, World(4).evaluate, terms(4))
    assert trained.genome is None
    assert trained.groups == ()


def test_a_slot_for_every_rule_and_gene_of_the_layer() -> None:
    base = Genome(prompt=PromptLayer(rubric=(Rule(id="a", text="A."), Rule(id="protected-b", text="B."))))
    material = Material(
        rules=(*base.prompt.rubric, BAD[0]),
        rewrites={"a": ("Also A.",)},
        few_shots=(FewShot(user="q", assistant="a"),),
        model_keys=("large", "small"),
    )
    prompt = {slot.name: slot for slot in slots(base, material, "prompt")}
    assert set(prompt) == {"rule a", "rule bad0", "cot", "tone", "verbosity", "format", "few_shots"}
    assert [prompt["rule a"].label(i) for i in range(3)] == ["as it is", "delete", "replace"]
    strategy = {slot.name for slot in slots(base, material, "strategy")}
    assert strategy == {"model_key", "temperature", "top_p", "max_tokens"}


@given(st.data())
def test_built_genomes_keep_what_is_protected_and_their_layer(data: st.DataObject) -> None:
    base = Genome(prompt=PromptLayer(rubric=(Rule(id="protected-x", text="Stay."),)), strategy=StrategyLayer(top_p=0.5))
    space = slots(base, MATERIAL, "prompt")
    choices = tuple(data.draw(st.integers(0, len(slot.options) - 1)) for slot in space)
    genome = build(base, space, choices)
    assert genome.prompt.rubric[0] == base.prompt.rubric[0]
    assert set(genome.changed_layers(base)) <= {"prompt"}
    assert (genome == base) == (not any(choices))


@given(st.integers(0, 50), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_small_step_goes_up_the_surrogate(seed: int, rewards: list[float]) -> None:
    """Against the numerical value of what the step claims to climb."""
    policy, rng = Categorical(SPACE), np.random.default_rng(seed)
    group = [policy.sample(rng) for _ in rewards]
    old, better = policy.probabilities(), advantages(np.array(rewards))

    def surrogate() -> float:
        now = policy.probabilities()
        ratios = np.array([[n[c] / o[c] for n, o, c in zip(now, old, chosen, strict=True)] for chosen in group])
        clipped = np.minimum(ratios * better[:, None], np.clip(ratios, 0.8, 1.2) * better[:, None])
        return float(clipped.sum() / len(group) - 0.05 * policy.divergence())

    before = surrogate()
    policy.step(group, better, old, rate=1e-3, clip=0.2, kl=0.05)
    assert surrogate() >= before - 1e-9


def test_divergence_pulls_back_to_the_reference() -> None:
    policy = Categorical((Slot("x", (None, None, None), 0.3),))
    policy.logits[0] = policy.logits[0] + np.array([0.0, 2.0, 0.0])
    away = policy.divergence()
    old = policy.probabilities()
    for _ in range(200):
        policy.step([(0,)], np.zeros(1), old, rate=0.5, clip=0.2, kl=1.0)
    assert policy.divergence() < away / 100


def test_advantages_are_relative_to_the_group() -> None:
    assert advantages(np.array([1.0, 1.0])).tolist() == [0.0, 0.0]
    assert advantages(np.array([0.0, 1.0])).tolist() == [-1.0, 1.0]
