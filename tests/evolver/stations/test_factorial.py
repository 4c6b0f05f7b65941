"""Two layers in canary at once: who may start, and what a unit with both says about each."""

from random import Random

import pytest

from evolver.stations.canary import CanaryStart
from evolver.stations.promotion import Promotion
from policies.factorial import Design, propensity
from policies.genome import Genome, StrategyLayer
from policies.registry.values import Candidate
from tests.evolver.stations.test_promotion import FAST
from tests.evolver.support import POLICY, World, exchange, make_settings, with_rule


async def started(world: World, name: str, layer: str, genome: Genome) -> Candidate:
    await CanaryStart().step(await world.candidate("judged", id=name, layer=layer, genome=genome), world.context())
    return await world.registry.candidate(name)


def cooler(genome: Genome) -> Genome:
    return genome.model_copy(update={"strategy": genome.strategy.model_copy(update={"temperature": 0.1})})


@pytest.mark.parametrize("factorial", [True, False])
async def test_another_layer_may_start_beside_and_the_same_one_may_not(world: World, factorial: bool) -> None:
    promotion = {**FAST["promotion"], "factorial": factorial}
    world.configure(make_settings(policy={**FAST, "promotion": promotion}))
    base = world.production.genome
    assert (await started(world, "one", "prompt", with_rule(base, "Say the number first."))).state == "canary"
    assert (await started(world, "two", "prompt", with_rule(base, "Be brief."))).state == "judged"
    found = await started(world, "three", "strategy", cooler(base))
    assert found.state == ("canary" if factorial else "judged")


async def test_each_candidate_is_measured_over_all_arms_that_have_it(world: World) -> None:
    """A better prompt and a harmless strategy: the prompt's gain is found, and the other gets none of the merit."""
    promotion = {**FAST["promotion"], "factorial": True, "horizon_s": 1e9}
    world.configure(make_settings(policy={**FAST, "promotion": promotion}))
    base = world.production.genome
    prompt = await started(world, "one", "prompt", with_rule(base, "Say the number first."))
    strategy = await started(world, "two", "strategy", cooler(base))
    assert isinstance(strategy.genome.strategy, StrategyLayer)
    design = Design.of(base, [("prompt", prompt.genome), ("strategy", strategy.genome)])
    arms = [genome.content_hash for genome in design.arms.values()]
    odds = [0.56, 0.24, 0.14, 0.06]  # 0.2 with the prompt and 0.3 with the strategy
    assert propensity(dict(zip(arms, odds, strict=True)), design.sides(arms[2])) == pytest.approx(0.2)
    experiments = await world.registry.experiments(POLICY, running=True)
    rng, drawn = Random(3), list(zip(arms, odds, strict=True))
    for number in range(400):
        world.now += 0.1
        arm = rng.choices(arms, odds)[0]
        failure = "refusal" if rng.random() < (0.02 if arm in arms[2:] else 0.5) else None
        await world.record(
            exchange(number, at=world.now, arms=drawn, arm=arm, experiment=experiments[0].id, first=True, why="draw",
                     failure=failure)
        )  # fmt: skip
    world.now += 6
    station, found = Promotion(), {}
    for candidate, experiment in zip((prompt, strategy), experiments, strict=True):
        await station.step(candidate, world.context())
        found[candidate.id] = station.progress(experiment.id)
    assert sum(found["one"]["units"]) == sum(found["two"]["units"]) == 400, "every unit counts for both"
    assert found["one"]["units"][1] == pytest.approx(80, abs=30)
    assert found["one"]["estimates"]["reward"] > 0.3
    assert abs(found["two"]["estimates"]["reward"]) < 0.15
