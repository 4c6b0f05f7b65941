"""kill -9 at each stage of a cycle, then a restart: it goes on, pays for nothing twice, and adds nothing twice."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from evolver.notebook import Notebook
from evolver.spending import Spending
from gateway.sandbox.app import running_sandbox
from policies.registry.values import Note
from tests.evolver.support import POLICY, World, make_settings, make_world
from tests.evolver.test_cycle import failing_traffic

SEARCH = {"num_generations": 2, "population": 4, "usd_per_cycle": 0.5, "calls_per_cycle": 300}
KILLER = """
import os, signal, sys
from evolver import cycle, notebook
from evolver.search import journal
from policies.registry.families import candidates

left = {stage: int(count) for stage, count in (word.split(":") for word in sys.argv.pop(1).split(","))}

def dying(owner, name, stage):
    inner = getattr(owner, name)
    if stage not in left:
        return
    def call(*arguments, **named):
        found = inner(*arguments, **named)
        left[stage] -= 1
        if left[stage] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    setattr(owner, name, call)

async def added(self, candidate, under=None, inner=candidates.Candidates.add_candidate):
    found = await inner(self, candidate, under=under)
    left["adding"] -= 1
    if left["adding"] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return found

dying(notebook.Notebook, "analyse", "analysed")
dying(notebook.Notebook, "_write", "asking")
dying(journal.Journal, "enter", "searching")
dying(notebook.Notebook, "conclude", "concluded")
if "adding" in left:
    from policies.registry.sqlite import SqliteRegistry
    SqliteRegistry.add_candidate = added
from evolver.__main__ import main
main(prog_name="evogate evolver")
"""


@asynccontextmanager
async def counting(upstream: str) -> AsyncIterator[tuple[str, Counter[bytes]]]:
    """A provider in front of the sandbox that counts each request by its bytes."""
    seen: Counter[bytes] = Counter()
    async with aiohttp.ClientSession() as session:

        async def relay(request: web.Request) -> web.Response:
            body = await request.read()
            seen[body] += 1
            async with session.post(upstream + request.path.removeprefix("/v1"), data=body) as answer:
                return web.Response(body=await answer.read(), status=answer.status, content_type=answer.content_type)

        app = web.Application()
        app.router.add_post("/{path:.*}", relay)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1", seen
        finally:
            await runner.cleanup()


def settings_of(url: str) -> Any:
    return make_settings(
        url,
        policy={"mode": "observe"},  # candidates stay where the cycle puts them
        search=SEARCH,
        reflection={"model_key": "reflection"},
        lease_s=0.5,
        poll_s=0.05,
        triggers={"performance": 0.0},
        retain_s=None,  # what is recorded is years old by the clock of these processes
    )


async def evolver(world: World, *, until: str) -> int | None:
    """The daemon as a process; killed by itself at a stage, or by us once the cycle has ended."""
    config = world.home.parent / "evogate.yaml"
    config.write_text(yaml.safe_dump(world.settings.model_dump(mode="json", exclude_defaults=True)))
    command = [sys.executable, "-c", KILLER, until, "--home", str(world.home), "--config", str(config), "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    )
    try:
        async with asyncio.timeout(60):
            while process.returncode is None and not any(  # noqa: ASYNC110
                n.action == "cycle ended" for n in await notes(world)
            ):
                await asyncio.sleep(0.05)  # another process writes them
        if process.returncode is None:
            os.kill(process.pid, signal.SIGTERM)
        return await asyncio.wait_for(process.wait(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def notes(world: World) -> list[Note]:
    return [note for note in await world.registry.notes(POLICY) if note.action.startswith("cycle")]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("stage", ["analysed:1", "asking:3", "asking:6", "searching:4", "concluded:1", "adding:1"])
async def test_a_killed_cycle_goes_on_where_it_was(tmp_path: Path, stage: str) -> None:
    home = tmp_path / "home"
    home.mkdir()
    async with (
        running_sandbox(3) as sandbox,
        counting(sandbox) as (url, seen),
        make_world(home, settings_of(url)) as world,
    ):
        await failing_traffic(world)
        await world.registry.set_state("trigger", {"at": world.now, "who": "operator:eve"})
        assert await evolver(world, until=stage) == -signal.SIGKILL
        assert await evolver(world, until="never:1") == 0
        said = [note.action for note in await notes(world)]
        assert said == ["cycle began", "cycle resumed", "cycle ended"]
        ended = (await notes(world))[-1].detail
        candidates = await world.registry.candidates(POLICY)
        assert [candidate.id for candidate in candidates] == ended["added"]
        assert len({candidate.genome.content_hash for candidate in candidates}) == len(candidates) > 0
        assert not (home / "cycles" / f"{POLICY}.jsonl").exists()
        reflected = [body for body in seen if b"sandbox-reflection" in body]
        assert reflected
        assert all(seen[body] == 1 for body in reflected)
        # A search may ask one question twice within its own budget, but a kill never raises what the whole costs.
        calls, _ = Spending(home / "spending", world.settings.evolver.budget).today()
        assert calls <= SEARCH["calls_per_cycle"] + len(reflected)
        assert sum(seen.values()) <= calls


async def test_a_notebook_of_another_cycle_is_begun_anew(tmp_path: Path, world: World) -> None:
    genome = world.production.genome
    one = Notebook.open(tmp_path, "a/b", "c1", "v1.0")
    one.analyse([], [])
    assert Notebook.open(tmp_path, "a/b", "c1", "v1.0").analysed == ([], [])
    assert Notebook.open(tmp_path, "a/b", "c1", "v1.0").candidate_id(genome) == one.candidate_id(genome)
    assert Notebook.open(tmp_path, "a/b", "c1", "v1.1").analysed is None
    other = Notebook.open(tmp_path, "a/b", "c2", "v1.1")
    assert other.analysed is None
    assert other.candidate_id(genome) != one.candidate_id(genome)


async def test_a_line_that_a_kill_cut_short_is_taken_off(tmp_path: Path) -> None:
    notebook = Notebook.open(tmp_path, "p", "c1", "v1.0")
    notebook.analyse([], [])
    (file,) = (tmp_path / "cycles").iterdir()
    whole = file.read_bytes()
    for size in range(len(whole) + 1):
        file.write_bytes(whole[:size])
        again = Notebook.open(tmp_path, "p", "c1", "v1.0")
        again.analyse([], [])
        assert Notebook.open(tmp_path, "p", "c1", "v1.0").analysed == ([], [])
        assert all(json.loads(line) for line in file.read_bytes().splitlines())


async def test_each_question_is_asked_once(tmp_path: Path, served: World) -> None:
    body = {"messages": [{"role": "user", "content": "What is 2 + 2?"}]}
    first = Notebook.open(tmp_path, "p", "c1", "v1.0")
    told = await first.asking(served.provider.complete)("medium", body)
    again = Notebook.open(tmp_path, "p", "c1", "v1.0")
    heard = await again.asking(served.provider.complete)("medium", body)
    assert served.provider.calls == 1
    assert heard == told

    async def killed(model_key: str, asked: dict[str, Any]) -> Any:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await again.asking(killed)("large", body)
    last = Notebook.open(tmp_path, "p", "c1", "v1.0")
    lost = await last.asking(served.provider.complete)("large", body)
    assert served.provider.calls == 1
    assert "not paid for twice" in str(lost.error)
