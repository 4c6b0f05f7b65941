"""Cycles start when due, one at a time; a dead one is recorded as failed."""

from dataclasses import replace

from evolver.context import Context
from evolver.cycle import Result
from evolver.keeper import Keeper
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


async def test_a_cycle_that_died_with_its_process_is_recorded_as_failed(world: World) -> None:
    made = await keeper(world, Cycles())
    made.states[POLICY] = replace(made.states[POLICY], running="learnings", cycles=4)
    await made._store(world.context())
    reborn = await keeper(world, Cycles())
    assert await actions(world) == ["cycle failed"]
    assert (reborn.states[POLICY].running, reborn.states[POLICY].cycles) == (None, 5)


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
