"""One seed: the processes, the traffic, the time to improve, and the closing comparison."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import yaml

from config import builtin
from gateway.demo.director import compare_with_first
from gateway.demo.report import Received, report
from gateway.demo.tally import Tally
from loadtests.improve.report import Outcome
from loadtests.month.processes import Process
from loadtests.weak import weaken
from policies.registry import open_registry

DELAY_SCALE = 4.0  # answers take as long as those of a small hosted model, so that our own share is small
CONFIG = "improve.yaml"


def configuration(sandbox: str) -> dict[str, Any]:
    """The demo's, with the poor genome in the place of its own; as JSON values."""
    settings: dict[str, Any] = yaml.safe_load(builtin.path("demo").read_text(encoding="utf-8"))
    settings["upstreams"]["sandbox"]["base_url"] = sandbox
    (policy,) = settings["policies"].values()
    weaken(policy, DELAY_SCALE)
    settings["gateway"] |= {"port": 0, "admin_port": 0}
    del settings["evolver"]["anchors"]  # the demo gives them up for its harmful candidate; there is none here
    return settings


async def improve(folder: Path, *, seed: int, minutes: float, closing_s: float, rate: float) -> Outcome:
    """Let the loop work for so many minutes in that folder, then compare.

    Raises:
        OperatorError: a process did not start.
    """
    home, log = folder / "home", folder / "answers.jsonl"
    home.mkdir(parents=True)
    traffic = ["--answers", str(log), "--rate", str(rate), "--seed", str(seed)]
    async with _running(folder, seed, traffic), open_registry(home) as registry:
        await asyncio.sleep(60.0 * minutes)
        _, holdback = await compare_with_first(registry, 0.5)
        await asyncio.sleep(closing_s)
        began = (await registry.pointers("assistant"))[0].moved_at
        pointers = {pointer.version: pointer.moved_at - began for pointer in await registry.pointers("assistant")}
    async with open_registry(home, create=False) as registry:
        tally = Tally(home / "spool")
        tally.update()
        found = await report(registry, tally, Received(log), holdback)
    return Outcome(seed, found, {version: round(at, 1) for version, at in pointers.items()})


@contextlib.asynccontextmanager
async def _running(folder: Path, seed: int, traffic: list[str]) -> AsyncIterator[None]:
    config = folder / CONFIG
    environ = {"EVOGATE_CONFIG": str(config), "EVOGATE_HOME": str(folder / "home")}
    started: list[Process] = []

    async def start(name: str, *arguments: str) -> str:
        process = Process(name, arguments, environ, folder)
        started.append(process)
        return await process.start()

    try:
        sandbox = ["--port", "0", "--seed", str(seed), "--delay-scale", str(DELAY_SCALE)]
        url = await start("sandbox", "gateway", "sandbox", *sandbox)
        config.write_text(yaml.safe_dump(configuration(url)), encoding="utf-8")
        address = await start("gateway", "gateway", "gateway", "--port", "0")
        await start("evolver", "evolver", "--port", "0")
        await start("traffic", "gateway.demo.traffic", "--base-url", f"{address}/v1", *traffic)
        yield
    finally:
        for process in reversed(started):
            await process.stop()
