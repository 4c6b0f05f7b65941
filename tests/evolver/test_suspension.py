"""A candidate whose own upstream fails is suspended and returns at the floor; harm of its own is still its own."""

from dataclasses import replace
from typing import Any

import pytest

from config.settings import Settings
from evolver.conveyor import step_all
from evolver.stations import line
from evolver.watch import Watch
from gateway.sandbox.app import running_sandbox
from policies.evidence.returns import FIRST_PAUSE_S, tries_of
from policies.genome import Genome
from policies.registry.operations import start_canary
from policies.registry.values import Candidate, Incident
from tests.evolver.support import CLOSED_PORT, POLICY, World, with_rule

OTHER = "elsewhere"


def with_other(world: World, base_url: str) -> Settings:
    """Model `small` is served by another upstream."""
    values: dict[str, Any] = world.settings.model_dump(mode="json")
    values["upstreams"][OTHER] = {"base_url": base_url}
    values["models"]["small"]["upstream"] = OTHER
    return Settings.model_validate(values)


def on_small(genome: Genome) -> Genome:
    return genome.model_copy(update={"strategy": genome.strategy.model_copy(update={"model_key": "small"})})


async def canary(world: World, genome: Genome) -> Candidate:
    judged = await world.candidate("judged", genome=genome, layer="strategy")
    found, _ = await start_canary(world.registry, judged, who="test", reason="its share", counted=True, now=world.now)
    return found


async def down(world: World, upstream: str) -> Incident:
    incident = Incident(f"provider-{upstream}", POLICY, "PROVIDER", world.now, upstream, "down", {})
    await world.registry.add_incident(incident)
    return incident


async def state(world: World, candidate: Candidate) -> tuple[str, int, list[str]]:
    found = await world.registry.candidate(candidate.id)
    running = await world.registry.experiments(POLICY, running=True)
    return found.state, tries_of(found.stations), [e.candidate for e in running]


async def test_it_leaves_the_draw_and_returns_with_half_the_alpha(world: World) -> None:
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as healthy:
        world.configure(with_other(world, CLOSED_PORT))
        candidate = await canary(world, on_small(world.production.genome))
        watch = Watch()
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 0, [candidate.id])
        incident = await down(world, OTHER)
        for _ in range(2):
            await watch.look(world.context())
            assert await state(world, candidate) == ("canary", 1, [])
        found = await world.registry.candidate(candidate.id)
        assert "suspended" in found.reason
        await world.registry.resolve_incident(incident.id, now=world.now)
        await step_all(line(), world.context())
        assert (await world.registry.candidate(candidate.id)).reason == found.reason, "it says what it waits for"
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, []), "not before the pause is over"
        world.now += FIRST_PAUSE_S + 1
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, []), "its upstream does not answer the probe"
        world.configure(with_other(world, healthy))
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [candidate.id])
        first, second = await world.registry.experiments(POLICY)
        assert (first.verdict, second.verdict) == ("INCONCLUSIVE", "")
        assert second.ordinal > first.ordinal
        await down(world, OTHER)  # resolved already: the same id changes nothing
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [candidate.id])


async def test_the_second_suspension_pauses_longer(world: World) -> None:
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as healthy:
        world.configure(with_other(world, healthy))
        candidate = await canary(world, on_small(world.production.genome))
        watch = Watch()
        for number, pause in enumerate((FIRST_PAUSE_S, 2 * FIRST_PAUSE_S), start=1):
            incident = Incident(f"provider-{number}", POLICY, "PROVIDER", world.now, OTHER, "down", {})
            await world.registry.add_incident(incident)
            await watch.look(world.context())
            await world.registry.resolve_incident(incident.id, now=world.now)
            world.now += pause - 1
            await watch.look(world.context())
            assert await state(world, candidate) == ("canary", number, [])
            world.now += 2
            await watch.look(world.context())
            assert await state(world, candidate) == ("canary", number, [candidate.id])


async def test_nothing_returns_while_everything_is_frozen(world: World) -> None:
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as healthy:
        world.configure(with_other(world, healthy))
        candidate = await canary(world, on_small(world.production.genome))
        watch = Watch()
        incident = await down(world, OTHER)
        await watch.look(world.context())
        await world.registry.resolve_incident(incident.id, now=world.now)
        await world.registry.set_state("freeze", {"frozen": True})
        world.now += FIRST_PAUSE_S + 1
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [])
        await world.registry.set_state("freeze", {"frozen": False})
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [candidate.id])


@pytest.mark.parametrize("shared", [True, False])
async def test_an_upstream_that_both_use_suspends_nobody(world: World, shared: bool) -> None:
    world.configure(with_other(world, CLOSED_PORT))
    genome = with_rule(world.production.genome, "Say the number first.")
    candidate = await canary(world, genome if shared else on_small(genome))
    await down(world, "sandbox")
    await Watch().look(world.context())
    assert await state(world, candidate) == ("canary", 0, [candidate.id])


async def test_a_descendant_of_what_was_taken_back_has_less_to_spend(world: World) -> None:
    parent = await canary(world, with_rule(world.production.genome, "Answer in riddles."))
    await world.registry.advance(parent, "trip", who="test", reason="harm", now=world.now)
    child = replace(
        parent,
        id="decade",
        state="judged",
        genome=with_rule(parent.genome, "Be brief."),
        lineage=parent.lineage.model_copy(update={"parents": (parent.genome.content_hash,)}),
        revision=0,
        stations={},
    )
    assert await world.registry.add_candidate(child)
    found, _ = await start_canary(world.registry, child, who="test", reason="", counted=True, now=world.now)
    assert tries_of(found.stations) == 1
