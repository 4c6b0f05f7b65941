"""After a promotion: a rise in failures calls for a 50/50 comparison with the predecessor, and that decides."""

from random import Random
from typing import Any
from unittest.mock import AsyncMock

import pytest

from evolver.odds import LAG_S
from evolver.stations.confirmation import Confirmation
from evolver.vigil import Vigil
from evolver.watch import Watch
from gateway.recording.frames import Frame
from policies.registry.operations import production_of, promote, restore, start_canary
from policies.registry.values import Candidate, Holdback, Incident
from tests.evolver.support import POLICY, World, exchange, make_settings

BREAKER = {"deadline_s": 5.0, "window_s": 60.0}
USUAL, HARM = 0.02, 0.4


def traffic(
    world: World, count: int, rates: dict[str, float], *, start: int, step_s: float = 0.1, **changes: Any
) -> list[Frame]:
    """New conversations, drawn evenly among the arms of `rates`, which fail so often."""
    rng, arms = Random(start), list(rates)
    why = "draw" if len(arms) > 1 else "only"
    frames: list[Frame] = []
    for number in range(start, start + count):
        world.now += step_s
        arm = rng.choice(arms)
        failure = "invalid_output" if rng.random() < rates[arm] else None
        given: dict[str, Any] = {
            "arm": arm,
            "arms": [(name, 1 / len(arms)) for name in arms],
            "why": why,
            "first": why == "draw",
        }
        given |= {"experiment": "named" if why == "draw" else None, "failure": failure, **changes}
        frames += exchange(number, at=world.now, **given)
    world.now += LAG_S
    return frames


async def in_production(world: World, state: str = "promoted", **policy: Any) -> Candidate:
    """A candidate that came through its canary, with a failure rate of 2 % there, and no holdback."""
    settings = {"breaker": BREAKER, "promotion": {"holdback": 0.0}, **policy}
    world.configure(make_settings(policy=settings))
    candidate = await world.candidate("judged")
    candidate, _ = await start_canary(world.registry, candidate, who="e", reason="", counted=True, now=world.now)
    await world.record(traffic(world, 800, dict.fromkeys(hashes(world, candidate), USUAL), start=1))
    world.now += 6
    await promote(world.registry, candidate, who="e", reason="", now=world.now, evidence={})
    candidate = await world.registry.candidate(candidate.id)
    if state == "confirmed":
        candidate = await world.registry.advance(candidate, "pass", who="e", reason="", now=world.now)
    return candidate


def hashes(world: World, candidate: Candidate) -> tuple[str, str]:
    return world.production.genome.content_hash, candidate.genome.content_hash


async def serve(world: World, vigil: Vigil, count: int, rate: float, *, start: int, **changes: Any) -> list[Holdback]:
    """Production alone serves; the holdbacks after the vigil has looked."""
    _, ours = hashes(world, await world.registry.candidate("c0ffee"))
    await world.record(traffic(world, count, {ours: rate}, start=start, **changes))
    await vigil.look(world.context())
    return await world.registry.holdbacks()


@pytest.mark.parametrize("state", ["promoted", "confirmed"])
async def test_a_rise_in_failures_re_randomises_with_the_predecessor(world: World, state: str) -> None:
    candidate, vigil = await in_production(world, state), Vigil()
    assert await serve(world, vigil, 1_000, USUAL, start=10_000) == []
    (holdback,) = await serve(world, vigil, 60, HARM, start=20_000)
    (experiment,) = await world.registry.experiments(POLICY, running=True)
    assert (holdback.version, holdback.share, holdback.since) == ("v1.0", 0.5, world.now)
    assert (holdback.experiment, holdback.salt) == (experiment.id, experiment.salt)
    assert (experiment.candidate, experiment.control, experiment.ordinal) == (candidate.id, "v1.0", 0)
    note = (await world.registry.notes(POLICY))[-1]
    assert (note.action, note.subject, note.detail["experiment"]) == ("alarm", "v1.1", experiment.id)
    assert (await production_of(world.registry, POLICY))[0].label == "v1.1"


@pytest.mark.parametrize("state", ["promoted", "confirmed"])
@pytest.mark.parametrize("theirs", [USUAL, HARM])
async def test_the_comparison_decides(world: World, state: str, theirs: float) -> None:
    """The predecessor fails less: it takes over. It fails as often: the provider has changed, the version stays."""
    candidate, vigil, watch = await in_production(world, state), Vigil(), Watch()
    assert await serve(world, vigil, 60, HARM, start=10_000)
    old, new = hashes(world, candidate)
    await world.record(traffic(world, 700, {old: theirs, new: HARM}, start=20_000))
    world.now += 6
    await watch.look(world.context())
    ejected = theirs == USUAL
    assert (await production_of(world.registry, POLICY))[0].label == ("v1.0" if ejected else "v1.1")
    assert await world.registry.holdbacks() == []
    experiment = (await world.registry.experiments(POLICY))[-1]
    assert experiment.verdict == ("ROLL BACK" if ejected else "INCONCLUSIVE")
    assert sum(experiment.evidence["counts"]["answer"]["challenger"]) > 200
    incidents = await world.registry.incidents(POLICY)
    assert [i.kind for i in incidents] == (["EJECT"] if ejected else [])
    assert [(i.evidence["at"], i.evidence["arms"]) for i in incidents] == [(world.now, [[old], [new]])] * ejected
    assert (await world.registry.candidate(candidate.id)).state == ("rolled_back" if ejected else state)


async def test_what_the_comparison_showed_is_the_next_baseline(world: World) -> None:
    candidate, vigil, watch = await in_production(world), Vigil(), Watch()
    assert await serve(world, vigil, 60, HARM, start=10_000)
    await world.record(traffic(world, 700, dict.fromkeys(hashes(world, candidate), HARM), start=20_000))
    world.now += 6
    await watch.look(world.context())
    assert await serve(world, vigil, 500, HARM, start=30_000) == []
    assert await serve(world, vigil, 200, 0.9, start=40_000) != []


async def test_a_comparison_goes_on_until_it_could_have_shown_harm(world: World) -> None:
    candidate, vigil, watch = await in_production(world), Vigil(), Watch()
    assert await serve(world, vigil, 60, HARM, start=10_000)
    await world.record(traffic(world, 60, dict.fromkeys(hashes(world, candidate), USUAL), start=20_000, step_s=2.0))
    world.now += 6
    await watch.look(world.context())
    assert await world.registry.holdbacks() != []
    world.now += world.settings.policies[POLICY].promotion.horizon_s
    await watch.look(world.context())
    assert await world.registry.holdbacks() == []


async def test_confirmation_waits_for_the_comparison(world: World) -> None:
    candidate, vigil, watch = await in_production(world), Vigil(), Watch()
    assert await serve(world, vigil, 60, HARM, start=10_000)
    world.now += 61
    move = await Confirmation().step(candidate, world.context())
    assert move is not None
    assert move.event is None
    world.now += world.settings.policies[POLICY].promotion.horizon_s
    await watch.look(world.context())
    move = await Confirmation().step(candidate, world.context())
    assert move is not None
    assert move.event == "pass"


@pytest.mark.parametrize("reason", ["outage", "freeze", "observe"])
async def test_where_nothing_may_change_an_alarm_only_restarts_the_detector(world: World, reason: str) -> None:
    await in_production(world)
    vigil, settings = Vigil(), world.settings
    if reason == "outage":
        await world.registry.add_incident(Incident("p", POLICY, "PROVIDER", world.now, "sandbox", "down", {}))
    elif reason == "freeze":
        await world.registry.set_state("freeze", {"frozen": True})
    else:
        world.configure(make_settings(policy={"mode": "observe", "breaker": BREAKER}))
    assert await serve(world, vigil, 60, HARM, start=10_000) == []
    assert (await world.store.kept(f"vigil:{POLICY}"))["detector"]["units"] < 60
    for incident in await world.registry.incidents(POLICY):
        await world.registry.resolve_incident(incident.id, now=world.now)
    await world.registry.set_state("freeze", {"frozen": False})
    world.configure(settings)
    assert await serve(world, vigil, 300, USUAL, start=20_000) == []
    assert await serve(world, vigil, 60, HARM, start=30_000) != []


async def test_an_alarm_found_late_belongs_to_the_outage_in_which_it_happened(world: World) -> None:
    await in_production(world)
    await world.registry.add_incident(Incident("p", POLICY, "PROVIDER", world.now, "sandbox", "down", {}))
    _, ours = hashes(world, await world.registry.candidate("c0ffee"))
    await world.record(traffic(world, 60, {ours: 1.0}, start=10_000))
    await world.registry.resolve_incident("p", now=world.now)
    assert await serve(world, Vigil(), 100, 0.0, start=20_000) == []


@pytest.mark.parametrize("changes", [{"why": "pin"}, {"why": "middle"}, {"unit": "one"}, {"arm": "another"}])
async def test_only_the_first_answer_of_a_new_conversation_on_production_counts(
    world: World, changes: dict[str, Any]
) -> None:
    await in_production(world)
    assert await serve(world, Vigil(), 200, 1.0, start=10_000, **changes) == []


async def test_silence_is_a_failure_at_its_deadline_and_holds_back_what_came_after(world: World) -> None:
    candidate, vigil = await in_production(world), Vigil()
    _, ours = hashes(world, candidate)
    await world.record(traffic(world, 40, {ours: 0.0}, start=10_000, step_s=0.01, settled_after=None))
    assert await serve(world, vigil, 40, HARM, start=20_000, step_s=0.01) == []
    assert await world.store.kept(f"vigil:{POLICY}") == {}
    world.now += 5
    await vigil.look(world.context())
    assert await world.registry.holdbacks() != []


async def test_a_restart_goes_on_where_it_stood(world: World) -> None:
    candidate = await in_production(world)
    await serve(world, Vigil(), 100, USUAL, start=10_000)
    await serve(world, Vigil(), 100, USUAL, start=20_000)
    kept = await world.store.kept(f"vigil:{POLICY}")
    assert kept["detector"]["units"] == 200
    canary = (await world.registry.experiments(POLICY))[0]
    assert kept["begun"].startswith(canary.id)
    assert USUAL / 2 < kept["detector"]["baseline"] < 3 * USUAL
    assert kept["detector"]["mean_units"] == pytest.approx(10 * 365.25 * 86_400, rel=0.1)
    await world.store.keep(f"vigil:{POLICY}", {})
    await Vigil().look(world.context())
    assert await world.store.kept(f"vigil:{POLICY}") == kept
    assert candidate.state == "promoted"


async def test_a_registry_that_fails_at_the_alarm_does_not_lose_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off between its two steps: the half-begun comparison is closed, and the alarm is found once more."""
    await in_production(world)
    vigil = Vigil()
    with monkeypatch.context() as broken:
        broken.setattr(world.registry, "set_holdback", AsyncMock(side_effect=OSError("gone")))
        with pytest.raises(OSError, match="gone"):
            await serve(world, vigil, 60, HARM, start=10_000)
    await Watch().look(world.context())
    assert [e.verdict for e in await world.registry.experiments(POLICY)] == ["PROMOTE", "INCONCLUSIVE"]
    assert await serve(world, vigil, 60, HARM, start=20_000) != []


async def test_a_comparison_whose_holdback_is_gone_is_closed(world: World) -> None:
    """An operator restores the predecessor while it runs; a kill between its two steps leaves the same."""
    await in_production(world)
    assert await serve(world, Vigil(), 60, HARM, start=10_000)
    await restore(world.registry, POLICY, "v1.0", None, who="eve", why="by hand", now=world.now)
    await world.registry.set_holdback(POLICY, None, now=world.now)
    await Watch().look(world.context())
    assert await world.registry.experiments(POLICY, running=True) == []
    assert (await world.registry.experiments(POLICY))[-1].verdict == "INCONCLUSIVE"
