import asyncio
import gc
import weakref

import uvloop

from gateway.http.deadlines import NEVER, TICK_S, deadlines_of


class Thing:
    def __init__(self) -> None:
        self.deadline = NEVER
        self.passed = asyncio.get_running_loop().create_future()

    def on_deadline(self) -> None:
        self.deadline = NEVER
        self.passed.set_result(asyncio.get_running_loop().time())


async def test_a_deadline_never_fires_early_and_soon_after() -> None:
    loop = asyncio.get_running_loop()
    deadlines = deadlines_of(loop)
    thing = Thing()
    begun = loop.time()
    thing.deadline = deadlines.after(0.15)
    deadlines.watch(thing)
    passed = await asyncio.wait_for(thing.passed, 5)
    deadlines.forget(thing)
    assert passed - begun >= 0.15
    assert passed - begun < 0.15 + 2 * TICK_S + 1.0  # a loaded machine gets a second


async def test_a_deadline_may_move_in_both_directions() -> None:
    deadlines = deadlines_of(asyncio.get_running_loop())
    early, late = Thing(), Thing()
    deadlines.watch(early)
    deadlines.watch(late)
    late.deadline = deadlines.after(0.01)
    early.deadline = deadlines.after(60)
    late.deadline = NEVER
    early.deadline = deadlines.after(0.01)
    await asyncio.wait_for(early.passed, 5)
    assert not late.passed.done()
    deadlines.forget(early)
    deadlines.forget(late)
    deadlines.forget(late)


async def test_time_passed_while_nothing_was_watched_does_not_shorten_a_deadline() -> None:
    loop = asyncio.get_running_loop()
    deadlines = deadlines_of(loop)
    assert deadlines_of(loop) is deadlines
    assert deadlines.after(1.0) >= loop.time() + 1.0


def test_a_closed_loop_is_not_kept_alive() -> None:
    loop = uvloop.new_event_loop()
    deadlines_of(loop)
    loop.close()
    seen = weakref.ref(loop)
    del loop
    gc.collect()
    assert seen() is None
