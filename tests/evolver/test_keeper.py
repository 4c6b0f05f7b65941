"""Cycles start when due, one at a time across a fleet; one whose process died goes on."""

import asyncio

import pytest

from evolver.context import Context
from evolver.cycle import Result
from evolver.keeper import ATTEMPTS, Keeper
from policies.errors import ConflictError
from tests.evolver.support import POLICY, World, exchange, make_settings, signal


class Cycles:
    def __init__(self, error: Exception | None = None) -> None:
        self.ran: list[str] = []
        self.analysed = 0
        self.error = error

    async def run(self, name: str, context: Context) -> Result:
        self.ran.append(name)
        if self.error:
            raise self.error
        return Result(1, 0, 1, 0, 0.0, ("c",), "one candidate")

    async def analyse(self, name: str, context: Context) -> None:
        self.analysed += 1


async def keeper(world: World, cycles: Cycles) -> Keeper:
    made = Keeper(cycles.run, cycles.analyse, lambda: world.now)
    await made.load(world.context())
    return made


async def actions(world: World) -> list[str]:
    return [note.action for note in await world.registry.notes(POLICY) if note.action.startswith("cycle")]


async def test_a_request_starts_one_cycle(world: World) -> None:
    cycles = Cycles()
    made = await keeper(world, cycles)
    await world.registry.set_state("trigger", {"at": world.now, "who": "operator:eve", "simulate_learnings": None})
    await made.look(world.context())
    await made.look(world.context())
    assert cycles.ran == [POLICY]
    assert await actions(world) == ["cycle began", "cycle ended"]
    assert made.states[POLICY].cycles == 1


async def test_simulated_learnings_test_the_chain(world: World) -> None:
    cycles = Cycles()
    made = await keeper(world, cycles)
    for simulated, ran in ((99, 0), (100, 1)):
        await world.registry.set_state("trigger", {"at": world.now, "simulate_learnings": simulated})
        await made.look(world.context())
        assert len(cycles.ran) == ran


async def test_enough_learnings_start_a_cycle_once(world: World) -> None:
    world.configure(make_settings(triggers={"learnings": 3, "check_every_s": 1.0}))
    cycles = Cycles()
    made = await keeper(world, cycles)
    await world.record([*exchange(1, failure="refusal"), signal(2, "feedback", {"score": 0.0})])
    await made.look(world.context())
    assert cycles.ran == []
    await world.record([signal(3, "retry")])
    await made.look(world.context())
    assert cycles.ran == []  # not before the next check
    world.now += 1
    await made.look(world.context())
    world.now += 1
    await made.look(world.context())
    assert cycles.ran == [POLICY]


async def test_a_cycle_that_raises_is_recorded_and_the_next_one_may_run(world: World) -> None:
    cycles = Cycles(RuntimeError("no disk"))
    made = await keeper(world, cycles)
    for _ in range(2):
        await world.registry.set_state("trigger", {"at": world.now})
        await made.look(world.context())
    assert await actions(world) == ["cycle began", "cycle failed"] * 2
    assert made.states[POLICY].running is None
    assert not made.states[POLICY].last_cycle_changed


class Dying(Cycles):
    """Runs until somebody kills it; says with what it was to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.began = asyncio.Event()
        self.drawn: list[tuple[str, int]] = []

    async def run(self, name: str, context: Context) -> Result:
        self.drawn.append((context.cycle, context.rng.getrandbits(32)))
        self.began.set()
        await asyncio.Event().wait()
        raise AssertionError("it never comes here")


async def killed(world: World, cycles: Dying) -> None:
    """A process that ends in the midst of a cycle, without a chance to say so."""
    made = await keeper(world, cycles)
    cycles.began.clear()
    task = asyncio.create_task(made.look(world.context()))
    await cycles.began.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    world.now += world.settings.evolver.lease_s


async def test_a_cycle_whose_process_died_goes_on_as_it_began(world: World) -> None:
    dying, cycles = Dying(), Cycles()
    await world.registry.set_state("trigger", {"at": world.now, "who": "operator:eve"})
    await killed(world, dying)
    await killed(world, dying)
    reborn = await keeper(world, cycles)
    await reborn.look(world.context())
    assert cycles.ran == [POLICY]
    assert len(set(dying.drawn)) == 1
    assert dying.drawn[0][0]
    assert await actions(world) == ["cycle began", "cycle resumed", "cycle resumed", "cycle ended"]
    assert (reborn.states[POLICY].running, reborn.states[POLICY].cycles) == (None, 1)


async def test_a_cycle_that_kills_every_process_is_given_up(world: World) -> None:
    dying, cycles = Dying(), Cycles()
    await world.registry.set_state("trigger", {"at": world.now})
    for _ in range(ATTEMPTS):
        await killed(world, dying)
    reborn = await keeper(world, cycles)
    await reborn.look(world.context())
    assert cycles.ran == []
    assert (await actions(world))[-1] == "cycle failed"
    assert (reborn.states[POLICY].running, reborn.states[POLICY].cycles) == (None, 1)


async def test_one_evolver_of_a_fleet_runs_cycles(world: World) -> None:
    first, second = Cycles(), Cycles()
    mine, others = await keeper(world, first), await keeper(world, second)
    await mine.look(world.context())
    await world.registry.set_state("trigger", {"at": world.now})
    await others.look(world.context())
    assert second.ran == []
    with pytest.raises(ConflictError, match="another evolver"):
        await others.once(POLICY, world.context())
    await mine.look(world.context())
    assert first.ran == [POLICY]
    await mine.release(world.context())
    await world.registry.set_state("trigger", {"at": world.now})
    await others.look(world.context())
    assert second.ran == [POLICY]
    assert others.states[POLICY].cycles == 2  # read from the registry when it took over


async def test_whoever_loses_the_lease_stops_and_writes_nothing_more(world: World) -> None:
    world.configure(make_settings(lease_s=0.03))
    cycles = Dying()
    made = await keeper(world, cycles)
    await world.registry.set_state("trigger", {"at": world.now})
    look = asyncio.create_task(made.look(world.context()))
    await cycles.began.wait()
    now = world.now + 60.0  # as if the process had stood still
    assert await world.registry.take_lease("cycle", "another", now=now, until=now + 60.0)
    await asyncio.wait_for(look, 10)
    assert await actions(world) == ["cycle began"]
    stored = (await world.registry.state("triggers"))["policies"][POLICY]
    assert stored["running"] == "manual"


async def test_it_tells_of_cycles(world: World) -> None:
    told: list[tuple[str, str]] = []
    world.webhook.send = lambda event, policy, at, detail: told.append((event, detail["outcome"]))  # type: ignore[method-assign]
    for cycles in (Cycles(), Cycles(RuntimeError("no disk"))):
        made = await keeper(world, cycles)
        await world.registry.set_state("trigger", {"at": world.now})
        await made.look(world.context())
        await made.release(world.context())
    assert told == [("cycle", "ended"), ("cycle", "failed")]


async def test_analysis_has_a_period_of_its_own(world: World) -> None:
    cycles = Cycles()
    made = await keeper(world, cycles)
    await made.look(world.context())  # the first check; nothing is due
    world.now += 1
    await made.look(world.context())
    assert cycles.analysed == 0
    world.configure(make_settings(analyze_every_s=5.0))
    for _ in range(12):
        world.now += 1
        await made.look(world.context())
    assert cycles.analysed == 2
    assert cycles.ran == []
