"""The optimizers: each is given a world, a number of calls and a generator, and returns one genome."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from config.evolving import Search
from evolver.examples import Example
from evolver.search import OPERATORS, Breeding, Budget, Score, search
from evolver.training import Curriculum, Hyper, Terms, Trained, distil, grpo, slots
from evolver.training.curriculum import Lesson
from loadtests.optimize.candidates import operators
from loadtests.optimize.world import Found, Optimize, World
from policies.genome import Genome

FEW = 8  # examples that the simple ones score a genome on
PROBE = 0.15  # of the calls, spent by the trainers on finding out what fails
USD = 1_000.0  # money is no object here: calls are


async def ours(world: World, calls: int, rng: np.random.Generator) -> Found:
    """The search of the improvement cycle, with its defaults."""
    result = await search(
        [world.base],
        world.evaluate,
        examples=world.examples,
        settings=Search(num_generations=1_000, early_stop_threshold=1.0, restarts=10),
        rng=rng,
        breeding=_breeding(world),
        budget=Budget(calls=calls, usd=USD),
        ceiling=lambda _genome, _example: 0.1,
    )
    reported = float("nan") if result.expected_quality is None else result.expected_quality
    return Found(result.winner.genome if result.winner else world.base, reported)


def _breeding(world: World) -> Breeding:
    usable = operators(world)
    # Where prompts are whole and unlike, there are no parts for a model of parts.
    modelled = Breeding().modelled if usable is OPERATORS else 0.0
    return Breeding(world.material, usable, single_layer=False, modelled=modelled)


async def random_search(world: World, calls: int, rng: np.random.Generator) -> Found:
    """Random walks of one to eight operators, each scored on eight random examples."""
    return await _walks(world, calls, rng, FEW)


async def random_full(world: World, calls: int, rng: np.random.Generator) -> Found:
    """The same, each scored on as many examples as leave ten of them."""
    return await _walks(world, calls, rng, min(len(world.examples), max(FEW, calls // 10)))


async def _walks(world: World, calls: int, rng: np.random.Generator, each: int) -> Found:
    best = Found(world.base, -1.0)
    while world.calls + each <= calls:
        genome = world.base
        for _ in range(int(rng.integers(1, 9))):
            genome = _varied(genome, world, rng)
        mean = _mean(await world.evaluate(genome, _shown(world, each, rng)))
        best = Found(genome, mean) if mean > best.reported else best
    return best


async def hill_climbing(world: World, calls: int, rng: np.random.Generator) -> Found:
    """One operator at a time on the same sixteen examples; what is no worse is the next start."""
    shown = _shown(world, 2 * FEW, rng)
    now = Found(world.base, _mean(await world.evaluate(world.base, shown)))
    while world.calls + len(shown) <= calls:
        child = _varied(now.genome, world, rng)
        mean = _mean(await world.evaluate(child, shown))
        now = Found(child, mean) if mean >= now.reported else now
    return now


async def policy_gradient(world: World, calls: int, rng: np.random.Generator) -> Found:
    """GRPO over rules and genes."""
    lessons = await _lessons(world, calls, rng)
    space = [slot for layer in world.material.layers for slot in slots(world.base, world.material, layer)]
    trained = await grpo(world.base, space, lessons, world.evaluate, _terms(world, calls, rng))
    return await _taken(world, trained)


async def training_free(world: World, calls: int, rng: np.random.Generator) -> Found:
    """Contrasted answers become rules, by templates."""
    lessons = await _lessons(world, calls, rng)
    trained = await distil(world.base, lessons, world.ask, _terms(world, calls, rng))
    return await _taken(world, trained)


OPTIMIZERS: dict[str, Optimize] = {
    "EvoGate search": ours,
    "random search": random_search,
    "random, full evaluation": random_full,
    "hill climbing": hill_climbing,
    "GRPO": policy_gradient,
    "GRPO, training-free": training_free,
}


def _terms(world: World, calls: int, rng: np.random.Generator) -> Terms:
    budget = Budget(calls=calls - world.calls, usd=USD)
    return Terms(budget, lambda _genome, _example: 0.1, rng, Hyper(rounds=1_000))


async def _lessons(world: World, calls: int, rng: np.random.Generator) -> Curriculum:
    """What recordings would have shown: which requests production gets wrong. It costs calls like all else."""
    probe = _shown(world, min(len(world.examples) // 2, int(calls * PROBE)), rng)
    scores = await world.evaluate(world.base, probe)
    seen = [replace(one, corrected=score.quality < 1.0, failure=None) for one, score in zip(probe, scores, strict=True)]
    known = {one.id for one in seen}
    rest = [one for one in world.examples if one.id not in known]
    bad = tuple(one for one in seen if one.bad)
    good = tuple(one for one in seen if not one.bad)
    half = len(rest) // 2
    return Curriculum((Lesson("all", bad),) if bad else (), good, tuple(rest[:half][:24]), tuple(rest[half:][:24]))


async def _taken(world: World, trained: Trained) -> Found:
    """The candidate where it gained something, else production; reported as its gain over what production scored."""
    gain = trained.reward_gain
    if trained.genome is None or gain is None or gain.mean <= 0:
        return Found(world.base, float("nan"))
    return Found(trained.genome, gain.base + gain.mean)


def _varied(genome: Genome, world: World, rng: np.random.Generator) -> Genome:
    usable = operators(world)
    operator = usable[int(rng.integers(len(usable)))]
    return operator.apply([genome, world.base], world.material, rng) or genome


def _shown(world: World, count: int, rng: np.random.Generator) -> list[Example]:
    return [world.examples[i] for i in rng.permutation(len(world.examples))[:count]]


def _mean(scores: Sequence[Score]) -> float:
    return float(np.mean([score.quality for score in scores]))
