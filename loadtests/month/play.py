"""The month from its first day to its last: real processes, real sockets, and what the calendar has in store."""

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import yaml

from loadtests.month.configuration import DELAY_SCALE, configuration
from loadtests.month.plan import DAYS, EVOLVER_DIES, GATEWAY_DIES, OUTAGE, Event
from loadtests.month.processes import Process
from policies.registry import open_registry
from policies.registry.port import Registry

LOOK_S = 0.05
CONFIG = "month.yaml"


@dataclass(slots=True)
class Played:
    """What is left of a month."""

    home: Path
    day_s: float
    began_at: float  # Unix seconds
    events: list[Event] = field(default_factory=list)
    traffic: dict[str, int] = field(default_factory=dict)

    def day(self, at: float) -> float:
        """Of the month, for a time in Unix seconds."""
        return (at - self.began_at) / self.day_s


class Month:
    """One run.

    Args:
        home: the data folder; logs are beside it.
        seed: of world and traffic.
        day_s: seconds that a day lasts.
        rate: conversations a second.
    """

    def __init__(self, home: Path, *, seed: int, day_s: float, rate: float) -> None:
        self._home, self._day_s = home, day_s
        self._logs = home.parent
        self._config = self._logs / CONFIG
        self._environ = {"EVOGATE_CONFIG": str(self._config), "EVOGATE_HOME": str(home)}
        self._sandbox = ["gateway", "sandbox", "--seed", str(seed), "--delay-scale", str(DELAY_SCALE), "--port"]
        self._traffic = ["--rate", str(rate), "--seed", str(seed), "--day-s", str(day_s)]

    async def play(self) -> Played:
        """All thirty days.

        Raises:
            OperatorError: a process did not start.
        """
        self._home.mkdir(parents=True, exist_ok=True)
        async with self._running() as (sandbox, gateway, evolver, traffic), open_registry(self._home) as registry:
            played = Played(self._home, self._day_s, time.time())
            acts = [
                self._outage(sandbox, played),
                self._evolver_dies(evolver, registry, played),
                self._gateway_dies(gateway, played),
            ]
            async with asyncio.TaskGroup() as group:
                for act in acts:
                    group.create_task(act)
                group.create_task(asyncio.sleep(DAYS * self._day_s))
            said = await traffic.stop()
            played.traffic = orjson.loads(said) if said.startswith("{") else {}
        return played

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[tuple[Process, Process, Process, Process]]:
        started: list[Process] = []

        async def start(name: str, *arguments: str) -> tuple[Process, str]:
            process = Process(name, arguments, self._environ, self._logs)
            started.append(process)
            return process, await process.start()

        try:
            port = _free_port()
            sandbox, url = await start("sandbox", *self._sandbox, str(port))
            self._config.write_text(yaml.safe_dump(configuration(url, self._day_s)), encoding="utf-8")
            gateway, address = await start("gateway", "gateway", "gateway", "--port", str(_free_port()))
            evolver, _ = await start("evolver", "evolver", "--port", str(_free_port()))
            to = ["--base-url", f"{address}/v1"]
            traffic, _ = await start("traffic", "loadtests.month.traffic", *to, *self._traffic)
            yield sandbox, gateway, evolver, traffic
        finally:
            for process in reversed(started):
                await process.stop()

    async def _until(self, day: float, played: Played) -> None:
        await asyncio.sleep(max(0.0, played.began_at + day * self._day_s - time.time()))

    def _note(self, what: str, played: Played) -> None:
        played.events.append(Event(played.day(time.time()), what))

    async def _outage(self, sandbox: Process, played: Played) -> None:
        await self._until(OUTAGE[0], played)
        await sandbox.kill()
        self._note("the provider goes away", played)
        await self._until(OUTAGE[1], played)
        await sandbox.start()
        self._note("the provider is back", played)

    async def _gateway_dies(self, gateway: Process, played: Played) -> None:
        await self._until(GATEWAY_DIES, played)
        await gateway.kill()
        await gateway.start()
        self._note("the gateway was killed, and started again", played)

    async def _evolver_dies(self, evolver: Process, registry: Registry, played: Played) -> None:
        """In the midst of a cycle."""
        await self._until(EVOLVER_DIES, played)
        while not _running_cycle(await registry.state("triggers")):  # noqa: ASYNC110 (another process writes it)
            await asyncio.sleep(LOOK_S)
        await evolver.kill()
        self._note("the evolver was killed in the midst of a cycle, and started again", played)
        await evolver.start()


def _running_cycle(state: dict[str, Any]) -> bool:
    return any(one.get("running") for one in state.get("policies", {}).values())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
