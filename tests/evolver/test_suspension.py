"""A candidate whose own upstream fails is suspended and returns at the floor; harm of its own is still its own."""

from dataclasses import replace
from random import Random
from typing import Any

import orjson
import pytest

from config.settings import Settings
from evolver.conveyor import step_all
from evolver.outages import Outages
from evolver.stations import line
from evolver.watch import Watch
from gateway.recording.frames import Frame
from gateway.sandbox.app import running_sandbox
from policies.evidence import ExperimentEvidence
from policies.evidence.returns import FIRST_PAUSE_S, tries_of
from policies.genome import Genome
from policies.registry.operations import find_version, start_canary
from policies.registry.values import Candidate, Incident, Totals
from tests.evolver.support import CLOSED_PORT, POLICY, World, exchange, with_rule

OTHER = "elsewhere"


def with_other(world: World, base_url: str, **breaker: float) -> Settings:
    """Model `small` is served by another upstream."""
    values: dict[str, Any] = world.settings.model_dump(mode="json")
    values["upstreams"][OTHER] = {"base_url": base_url}
    values["models"]["small"]["upstream"] = OTHER
    values["policies"][POLICY]["breaker"] |= breaker
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


async def test_an_incident_that_nobody_is_left_to_end_keeps_no_candidate_out_for_ever(world: World) -> None:
    """The gateway that wrote it down died with it."""
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as healthy:
        world.configure(with_other(world, CLOSED_PORT, window_s=300.0))
        candidate, watch = await canary(world, on_small(world.production.genome)), Watch()
        await down(world, OTHER)
        await watch.look(world.context())
        world.now += 301.0
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, []), "it does not answer"
        world.configure(with_other(world, healthy, window_s=600.0))
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, []), "it may be going on"
        world.now += 300.0
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [candidate.id])
        (incident,) = await world.registry.incidents(POLICY)
        assert incident.resolved_at == world.now


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


# -- an outage that is over before the evolver looks -------------------------------------------------------------------

Rates = list[tuple[int, float]]  # how many conversations, and how many of the candidate's answers fail meanwhile
OUTAGE: Rates = [(600, 0.0), (120, 1.0), (200, 0.0)]


async def served(world: World, candidate: Candidate, rates: Rates, failure: str | None, start: int = 1) -> None:
    """The canary's first answers, drawn evenly, on record, and the sums that a gateway tells of them.

    `failure` None: the answer does not come.
    """
    (experiment,) = await world.registry.experiments(POLICY, running=True)
    control = (await find_version(world.registry, POLICY, experiment.control)).genome.content_hash
    arms, rng, number = (control, candidate.genome.content_hash), Random(start), start
    breaker = world.settings.policies[POLICY].breaker
    evidence = ExperimentEvidence(
        experiment.id, alpha=breaker.alpha, ratio=breaker.ratio, window_s=breaker.window_s, deadline_s=5.0
    )
    frames: list[Frame] = []
    for count, rate in rates:
        for _ in range(count):
            world.now, number = world.now + 0.2, number + 1
            treated = rng.random() < 0.5
            failed = treated and rng.random() < rate
            how: dict[str, Any] = {"arm": arms[treated], "arms": [(arm, 0.5) for arm in arms], "why": "draw"}
            how |= {"first": True, "experiment": experiment.id, "failure": failure if failed else None}
            late: dict[str, Any] = {"settled_after": None} if failed and failure is None else {}
            frames += exchange(number, at=world.now, **how, **late)
            evidence.assigned(f"u{number}", at=world.now, challenger=treated, q=0.5)
            if not late:
                evidence.settled(f"u{number}", how["failure"], now=world.now)
    await world.record(frames)
    world.now += 10.0
    evidence.advance(world.now)
    rows = orjson.loads(orjson.dumps({str(bucket): data for bucket, data in evidence.totals().items()}))
    await world.registry.put_totals(
        [Totals("evidence", experiment.id, "w0", int(n), data, 0.0, world.now) for n, data in rows.items()]
    )


async def incidents(world: World) -> list[tuple[str, str, bool]]:
    return [(i.kind, i.subject, i.resolved_at is not None) for i in await world.registry.incidents(POLICY)]


@pytest.mark.parametrize("failure", ["server_error", "transport", None])
async def test_an_outage_that_nobody_wrote_down_is_found_in_the_recordings(world: World, failure: str | None) -> None:
    """Gateways and evolver were down when it ended: the sums of the fleet alone would take the candidate back."""
    world.configure(with_other(world, CLOSED_PORT, deadline_s=5.0))
    candidate = await canary(world, on_small(world.production.genome))
    began = world.now
    await served(world, candidate, OUTAGE, failure)
    watch = Watch()
    for _ in range(2):
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [])
        assert await incidents(world) == [("PROVIDER", OTHER, True)]
    (incident,) = await world.registry.incidents(POLICY)
    assert incident.resolved_at is not None
    assert began + 600 * 0.2 - 1 < incident.at < incident.resolved_at < world.now
    assert (await world.registry.experiments(POLICY))[0].verdict == "INCONCLUSIVE"
    assert await world.registry.tombstones(POLICY) == []


async def test_an_outage_that_goes_on_ends_with_a_probe(world: World) -> None:
    """Nothing on record would ever show that it is over: nobody is sent there any more."""
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as healthy:
        world.configure(with_other(world, CLOSED_PORT, deadline_s=5.0))
        candidate, watch = await canary(world, on_small(world.production.genome)), Watch()
        await served(world, candidate, OUTAGE[:2], "transport")
        await watch.look(world.context())
        world.now += FIRST_PAUSE_S + 1
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [])
        world.configure(with_other(world, healthy, deadline_s=5.0))
        await watch.look(world.context())
        assert await state(world, candidate) == ("canary", 1, [candidate.id])


async def test_an_outage_that_gateways_wrote_down_and_ended_counts_for_what_it_fell_into(world: World) -> None:
    world.configure(with_other(world, CLOSED_PORT, deadline_s=5.0))
    earlier = await down(world, OTHER)
    await world.registry.resolve_incident(earlier.id, now=world.now)
    world.now += 1.0
    candidate, watch = await canary(world, on_small(world.production.genome)), Watch()
    await watch.look(world.context())
    assert await state(world, candidate) == ("canary", 0, [candidate.id]), "the earlier one was over before"
    later = replace(earlier, id="later", at=world.now + 1.0, resolved_at=None)
    await world.registry.add_incident(later)
    await world.registry.resolve_incident(later.id, now=world.now + 2.0)
    world.now += 60.0
    await watch.look(world.context())
    assert await state(world, candidate) == ("canary", 1, [])


@pytest.mark.parametrize("case", ["its own kind of failure", "production's upstream", "from the first answer on"])
async def test_harm_that_is_its_own_is_taken_back(world: World, case: str) -> None:
    world.configure(with_other(world, CLOSED_PORT, deadline_s=5.0))
    own = with_rule(world.production.genome, "Answer in riddles.")
    candidate = await canary(world, own if case == "production's upstream" else on_small(own))
    rates = [(300, 0.6)] if case == "from the first answer on" else OUTAGE
    await served(world, candidate, rates, "refusal" if case == "its own kind of failure" else "server_error")
    await Watch().look(world.context())
    assert (await state(world, candidate))[0] == "rolled_back"


async def test_silence_says_nothing_before_its_deadline(world: World) -> None:
    world.configure(with_other(world, CLOSED_PORT, deadline_s=60.0))
    candidate = await canary(world, on_small(world.production.genome))
    await served(world, candidate, OUTAGE[:2], None)
    (experiment,), outages = await world.registry.experiments(POLICY, running=True), Outages()
    assert await outages.during(candidate, experiment, world.context()) is None
    world.now += 60.0
    assert await outages.during(candidate, experiment, world.context()) is not None


async def test_a_reward_that_an_outage_has_spoilt_takes_nothing_back(world: World) -> None:
    """The station that reads rewards may look before the watch does."""
    world.configure(with_other(world, CLOSED_PORT, deadline_s=5.0))
    candidate = await canary(world, on_small(world.production.genome))
    await served(world, candidate, [(600, 0.0), (900, 1.0)], "server_error")
    await step_all(line(), world.context())
    found = await world.registry.candidate(candidate.id)
    assert (found.state, "its upstream was at fault" in found.reason) == ("canary", True)
    await Watch().look(world.context())
    assert await state(world, candidate) == ("canary", 1, [])
