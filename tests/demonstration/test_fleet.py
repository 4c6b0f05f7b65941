"""Two machines and one PostgreSQL registry, in processes: both serve, with it and without; a canary is taken back.

Each machine has a data folder and a gateway of its own; the evolver runs beside the first.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml

from policies.registry import open_registry
from policies.registry.trail import first_broken
from tests.demonstration.test_rollout import (
    HARMFUL,
    POLICY,
    World,
    child,
    configuration,
    enter,
    traffic,
    until,
)
from tests.gateway.pipeline.scripted import provider
from tests.policies.registry.server import running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@contextlib.asynccontextmanager
async def machine(home: Path, upstream: str, database: str) -> AsyncIterator[World]:
    """A gateway on a data folder of its own."""
    config = home / "evogate.yaml"
    settings: dict[str, Any] = configuration(upstream) | {"registry": {"url": database, "node": home.name}}
    settings["policies"][POLICY]["promotion"]["horizon_s"] = 200
    config.write_text(yaml.safe_dump(settings))
    async with child(home, "gateway", config):
        await until(lambda: asyncio.to_thread((home / "gateway.json").exists))
        yield World(home, url=orjson.loads((home / "gateway.json").read_bytes())["url"])


async def evogate(home: Path, *arguments: str) -> tuple[int | None, str]:
    """A command on a machine: its exit code and what it prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("EVOGATE_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments, "--home", str(home)),
        env=environ,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def asked(world: World) -> int:
    """One question's status."""
    body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
    url = f"{world.url}/v1/chat/completions"
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as answer:
        assert answer.headers["x-evogate-version"] == "v1.0", "the epoch stays"
        return answer.status


@pytest.mark.timeout(500)
async def test_two_machines_take_a_canary_back_together(tmp_path: Path) -> None:
    homes = [tmp_path / name for name in ("alpha", "beta")]
    for home in homes:
        home.mkdir()
    with running() as server:
        async with contextlib.AsyncExitStack() as stack:
            scripted = World(tmp_path)
            upstream = await stack.enter_async_context(provider(scripted.answer))
            worlds = [await stack.enter_async_context(machine(home, upstream, server.url())) for home in homes]
            server.stop("immediate")
            assert [await asked(world) for world in worlds for _ in range(10)] == [200] * 20
            server.start()

            first = worlds[0].home
            await stack.enter_async_context(child(first, "evolver", first / "evogate.yaml"))
            registry = await stack.enter_async_context(open_registry(first, server.url()))
            for world in worlds:
                await stack.enter_async_context(traffic(world))
            await enter(registry, "harmful", HARMFUL)

            async def taken_back() -> bool:
                return (await registry.candidate("harmful")).state == "rolled_back"

            await until(taken_back, 300.0)
            (experiment,) = await registry.experiments(POLICY)
            assert {row.writer for row in await registry.totals("evidence", experiment.id)} == {"alpha.w0", "beta.w0"}
            assert first_broken(await registry.notes(limit=100_000)) is None

            for world in worlds:
                code, output = await evogate(world.home, "status", "--json")
                status: dict[str, Any] = json.loads(output)
                assert code == 0
                assert status["gateway"] is not None
                code, output = await evogate(world.home, "history")
                assert (code, "v1.0" in output) == (0, True)
                code, output = await evogate(world.home, "experiments", "--json")
                assert (code, "harmful" in output) == (0, True)
                code, output = await evogate(world.home, "verify", "--json")
                assert code == 0, output
                verified = json.loads(output)
                assert list(verified["writers"]) == [f"{world.home.name}.w0"]
                assert verified["decisions"]["right"]["draws"] > 0
                assert verified["decisions"]["left_out"]["rollbacks: on records of several machines"] == 1
        server.stop()
