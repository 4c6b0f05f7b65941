"""The search as a whole: finds planted optima more often than random, caches, races, repeats, and survives faults."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from config.evolving import Search
from evolver.examples import Example
from evolver.search import OPERATORS, Breeding, Budget, Score, SearchResult, search
from policies.errors import ProviderError
from policies.genome import Genome, Lineage, PromptLayer
from tests.evolver.search.worlds import BASE, EXAMPLES, GOOD, MATERIAL, World, true_quality

SETTINGS = Search(num_generations=12, population=8)
CALLS = 600


async def run(
    seed: int, *, calls: int = CALLS, single_layer: bool = False, **changes: object
) -> tuple[SearchResult, World]:
    world = World(seed)
    arguments: dict[str, object] = {
        "examples": EXAMPLES,
        "settings": SETTINGS,
        "rng": np.random.default_rng(seed),
        "breeding": Breeding(MATERIAL, single_layer=single_layer),
        "budget": Budget(calls=calls, usd=10.0),
    }
    result = await search([BASE], world.evaluate, **(arguments | changes))  # type: ignore[arg-type]
    return result, world


async def random_search(seed: int) -> Genome:
    """Random walks of one to eight operators, each scored on eight examples: as many calls as the search has."""
    world, rng = World(seed), np.random.default_rng(seed)
    best, best_mean = BASE, -1.0
    while world.calls + 8 <= CALLS:
        genome = BASE
        for _ in range(int(rng.integers(1, 9))):
            operator = OPERATORS[int(rng.integers(len(OPERATORS)))]
            genome = operator.apply([genome, BASE], MATERIAL, rng) or genome
        shown = [EXAMPLES[i] for i in rng.permutation(len(EXAMPLES))[:8]]
        mean = float(np.mean([score.quality for score in await world.evaluate(genome, shown)]))
        if mean > best_mean:
            best, best_mean = genome, mean
    return best


async def test_it_finds_better_genomes_than_random_search_at_equal_calls() -> None:
    seeds = range(12)
    ours = [true_quality((await run(seed))[0].ranked[0].genome) for seed in seeds]
    theirs = [true_quality(await random_search(seed)) for seed in seeds]
    wins = sum(a > b for a, b in zip(ours, theirs, strict=True))
    ties = sum(a == b for a, b in zip(ours, theirs, strict=True))
    assert stats.binomtest(wins, len(seeds) - ties, 0.5, alternative="greater").pvalue < 0.01
    assert np.mean(ours) > 0.7


async def test_nobody_wins_who_was_not_better_on_fresh_examples() -> None:
    """Where no gene matters and scores are noise, the race has its leader all the same."""
    won = 0
    for seed in range(20):
        noise = np.random.default_rng(1_000 + seed)

        async def evaluate(
            _genome: Genome, examples: Sequence[Example], noise: np.random.Generator = noise
        ) -> list[Score]:
            return [Score(float(noise.integers(2))) for _ in examples]

        result = await search(
            [BASE], evaluate, examples=EXAMPLES, settings=Search(num_generations=6), rng=np.random.default_rng(seed),
            breeding=Breeding(MATERIAL), budget=Budget(calls=CALLS, usd=1.0),
        )  # fmt: skip
        first = result.ranked[0]
        assert (result.winner is not None) == (first.gain > 0.0)
        assert result.winner in (None, first)
        assert result.to_dict()["winner"] == (first.genome.content_hash if result.winner else None)
        won += result.winner is not None
    assert won < 20


async def test_without_fresh_examples_nobody_wins() -> None:
    """The race's own figures flatter whom it has chosen: candidates are ranked by them, and the base stays."""
    result, _ = await run(3, examples=EXAMPLES[:8])
    assert result.ranked[0].gain > 0.0
    assert result.winner is None
    assert result.expected_quality is not None


async def test_single_layer_results_differ_from_the_base_in_one_layer() -> None:
    result, _ = await run(0, single_layer=True)
    assert result.ranked
    assert {len(one.genome.changed_layers(BASE)) for one in result.ranked} == {1}
    assert result.ranked[0].gain_low > 0


async def test_nothing_is_evaluated_twice() -> None:
    result, world = await run(1)
    assert max(Counter(world.seen).values()) == 1
    assert result.calls == world.calls <= CALLS


async def test_the_same_seed_gives_the_same_result() -> None:
    assert (await run(2))[0].to_dict() == (await run(2))[0].to_dict()


async def test_the_result_is_json_with_a_history() -> None:
    told: list[int] = []
    result, _ = await run(3, on_generation=lambda generation: told.append(generation.number))
    stored = json.loads(json.dumps(result.to_dict()))
    assert told == [line["number"] for line in stored["history"]] == list(range(len(told)))
    assert stored["history"][-1]["calls"] <= stored["calls"]
    assert sum(stored["history"][-1]["operators"].values()) == pytest.approx(1)
    assert stored["ranked"][0]["lineage"]["source"] == "genetic"
    assert stored["ranked"][0]["lineage"]["parents"]


async def test_racing_spends_little_on_losers() -> None:
    result, world = await run(4)
    per_genome = Counter(name for name, _ in world.seen)
    assert np.median(list(per_genome.values())) <= 8
    assert per_genome[result.ranked[0].genome.content_hash] >= 16


async def test_the_final_comparison_uses_examples_that_the_race_never_saw() -> None:
    result, world = await run(5)
    last = len(result.ranked) + 1  # the finalists and the base
    before, final = world.seen[: -8 * last], world.seen[-8 * last :]
    fresh = {example for _, example in final}
    assert len(fresh) == 8
    assert fresh.isdisjoint(example for _, example in before)
    assert {one.examples for one in result.ranked} == {8}


async def test_it_stops_early_when_good_enough() -> None:
    result, world = await run(6, settings=Search(num_generations=12, population=8, early_stop_threshold=0.5))
    assert "reached" in result.stopped
    assert world.calls < CALLS / 2


async def test_it_stops_under_one_leader() -> None:
    async def flat(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [Score(0.5, 100.0, 0.0)] * len(examples)

    rng = np.random.default_rng(0)
    breeding = Breeding(MATERIAL)
    settings = Search(num_generations=50, population=4)
    budget = Budget(calls=100_000, usd=1)
    result = await search([BASE], flat, examples=EXAMPLES, settings=settings, rng=rng, breeding=breeding, budget=budget)
    assert "has led" in result.stopped


@pytest.mark.parametrize("error", [ProviderError("down"), TimeoutError(), OSError("reset"), ValueError("odd")])
async def test_failing_evaluations_cost_their_reservation_and_are_told(error: Exception) -> None:
    world = World(7)

    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        if genome.prompt.cot:
            raise error
        return await world.evaluate(genome, examples)

    rng = np.random.default_rng(7)
    seeds = [BASE, Genome(prompt=PromptLayer(cot=True))]
    budget = Budget(calls=300, usd=1)
    result = await search(
        seeds, evaluate, examples=EXAMPLES, settings=SETTINGS, rng=rng, breeding=Breeding(MATERIAL), budget=budget
    )
    assert any(type(error).__name__ in fault for fault in result.faults)
    assert not any(one.genome.prompt.cot for one in result.ranked)
    assert world.calls < result.calls <= 300


async def test_too_few_scores_are_a_fault() -> None:
    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [Score(1.0)]

    result = await search(
        [BASE],
        evaluate,
        examples=EXAMPLES,
        settings=SETTINGS,
        rng=np.random.default_rng(0),
        breeding=Breeding(MATERIAL),
    )
    assert result.ranked == ()
    assert "1 scores for 4 examples" in result.faults[0]


async def test_a_bug_in_the_evaluation_goes_through() -> None:
    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        await search([BASE], evaluate, examples=EXAMPLES, settings=SETTINGS, rng=np.random.default_rng(0))


async def test_cancellation_settles_what_was_reserved() -> None:
    entered = asyncio.Event()

    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        entered.set()
        await asyncio.Event().wait()
        return []

    budget = Budget(calls=100, usd=1)
    task = asyncio.create_task(
        search([BASE], evaluate, examples=EXAMPLES[:8], settings=SETTINGS, rng=np.random.default_rng(0), budget=budget)
    )
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.calls == 4  # spent or not, nobody can tell: it counts as spent
    assert budget.affordable(0.0) == 96


async def test_an_overrun_ends_the_search_and_says_so() -> None:
    world = World(8)
    result = await search(
        [BASE],
        world.evaluate,
        examples=EXAMPLES,
        settings=SETTINGS,
        rng=np.random.default_rng(0),
        ceiling=lambda genome, example: 1e-6,
    )
    assert world.calls == 4
    assert "Raise the ceiling" in result.faults[0]


async def test_proposals_keep_their_lineage() -> None:
    seed = Genome(prompt=PromptLayer(rubric=GOOD))
    lineage = Lineage(source="patch", operator="template:x", finding="f1")
    world = World(9, noise=0.05)
    result = await search(
        [(BASE, Lineage(source="seed")), (seed, lineage)],
        world.evaluate,
        examples=EXAMPLES,
        settings=Search(num_generations=1, population=4),
        rng=np.random.default_rng(0),
    )
    assert (seed, lineage) in [(one.genome, one.lineage) for one in result.ranked]
