"""The daemon as a whole: recordings go in, a decision comes out, with nobody calling anything by hand."""

import asyncio
import time

from evolver.context import frozen
from evolver.daemon import Daemon
from policies.registry.operations import production_of
from tests.evolver.stations.test_promotion import FAST, units
from tests.evolver.support import POLICY, World, make_settings
from tests.evolver.test_odds import drawn
from tests.evolver.test_vigil import HARM, in_production, traffic


async def until(*, world: World, state: str, candidate: str) -> None:
    async with asyncio.timeout(20):
        while (await world.registry.candidate(candidate)).state != state:  # noqa: ASYNC110 (another connection writes)
            await asyncio.sleep(0.02)


async def test_it_promotes_by_itself(world: World) -> None:
    policy = {**FAST, "breaker": {"deadline_s": 0.5, "window_s": 30.0}}
    settings = make_settings(policy=policy, poll_s=0.02)
    world.configure(settings)
    candidate = await world.candidate("judged")
    async with Daemon(settings, world.home) as daemon:
        running = asyncio.create_task(daemon.run())
        await until(world=world, state="canary", candidate=candidate.id)
        world.now = time.time()
        frames = await units(world, candidate, 1_500, ours=0.4, theirs=0.02, step_s=1e-4, settled_after=0.1)
        world.spool(frames)
        await until(world=world, state="promoted", candidate=candidate.id)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert (await production_of(world.registry, POLICY))[0].label == "v1.1"


async def test_its_first_round_finds_that_the_draws_do_not_follow_their_odds(world: World) -> None:
    told: list[tuple[str, str]] = []
    world.spool(drawn(world, 1_000, share=0.4))
    async with Daemon(make_settings(), world.home) as daemon:
        daemon.webhook.send = lambda event, policy, at, detail: told.append((event, detail["kind"]))  # type: ignore[method-assign]
        await daemon.look()
        assert await frozen(world.registry)
        assert told == [("incident", "SAMPLE_RATIO")]


async def test_it_looks_after_what_it_promoted(world: World) -> None:
    candidate = await in_production(world)
    world.spool(traffic(world, 60, {candidate.genome.content_hash: HARM}, start=10_000))
    async with Daemon(world.settings, world.home) as daemon:
        await daemon.look()
        (holdback,) = await world.registry.holdbacks()
        assert (holdback.version, holdback.share) == ("v1.0", 0.5)


async def test_a_round_that_fails_does_not_end_the_daemon(world: World) -> None:
    async with Daemon(make_settings(poll_s=0.01), world.home) as daemon:
        failures = iter([ValueError("a bug"), OSError("a disk")])
        looked = asyncio.Event()

        async def look() -> None:
            error = next(failures, None)
            if error is not None:
                raise error
            looked.set()

        task = asyncio.create_task(daemon._every(look))
        await asyncio.wait_for(looked.wait(), 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert daemon.metrics.failed_rounds._value.get() == 2


async def test_new_settings_are_taken_over(world: World) -> None:
    async with Daemon(make_settings(), world.home) as daemon:
        daemon.configure(make_settings(policy={"mode": "observe"}))
        assert daemon.context().mode(POLICY) == "observe"
        assert daemon.context().mode("gone") == "observe"
