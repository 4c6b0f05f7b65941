"""In the quiet hours nothing is deployed, and what was proven in them is deployed afterwards."""

import pytest
from pydantic import ValidationError

from evolver.context import QUIET
from evolver.conveyor import step_all
from evolver.quiet import quiet
from evolver.stations import line
from policies.registry.operations import production_of
from policies.registry.values import Incident
from tests.evolver.stations.test_promotion import FAST, canary, units
from tests.evolver.support import POLICY, START, World, make_settings

HOUR_S = 3600.0  # START is at 22:13:20


@pytest.mark.parametrize(
    ("hours", "clock", "expected"),
    [
        (None, "12:00", False),
        ("22:00-06:00", "22:00", True),
        ("22:00-06:00", "21:59", False),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "06:00", False),
        ("09:30-17:00", "09:29", False),
        ("09:30-17:00", "16:59", True),
        ("00:00-00:00", "13:00", True),
    ],
)
def test_the_hours(hours: str | None, clock: str, expected: bool) -> None:
    midnight = START - START % 86_400
    assert quiet(hours, midnight + int(clock[:2]) * HOUR_S + int(clock[3:]) * 60) is expected


@pytest.mark.parametrize("hours", ["22-06", "24:00-06:00", "always", "22:00-06:60"])
def test_what_is_no_period_is_refused(hours: str) -> None:
    with pytest.raises(ValidationError):
        make_settings(quiet=hours)


async def test_no_canary_begins_in_them(world: World) -> None:
    world.configure(make_settings(policy=FAST, quiet="22:00-23:00"))
    candidate = await world.candidate("judged")
    for _ in range(2):
        await step_all(line(), world.context())
    waiting = await world.registry.candidate(candidate.id)
    assert (waiting.state, waiting.reason, waiting.revision) == ("judged", QUIET, 1)
    world.now += HOUR_S
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"


async def test_a_proof_waits_for_their_end(world: World) -> None:
    candidate = await canary(world)
    world.configure(make_settings(policy=FAST, quiet="22:00-23:00"))
    stations = line()
    await world.record(await units(world, candidate, 1_500, ours=0.4, theirs=0.02))
    world.now += 6
    await step_all(stations, world.context())
    waiting = await world.registry.candidate(candidate.id)
    assert (waiting.state, waiting.reason) == ("canary", QUIET)
    assert (await production_of(world.registry, POLICY))[0].label == "v1.0"
    world.now += HOUR_S
    await step_all(stations, world.context())
    assert (await production_of(world.registry, POLICY))[0].label == "v1.1"


async def test_failures_that_stay_do_not_stop_learning_for_ever(world: World) -> None:
    """What rose on every arm and never falls again is no outage: the application asks something else by now."""
    world.configure(make_settings(policy=FAST))
    candidate = await world.candidate("judged")
    await world.registry.add_incident(Incident("i1", POLICY, "PROVIDER", world.now, "sandbox", "rose", {}))
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "judged"
    world.now += FAST["breaker"]["window_s"]
    await step_all(line(), world.context())
    assert (await world.registry.candidate(candidate.id)).state == "canary"
