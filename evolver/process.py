"""The process around the daemon: listener, hot reload, signals, and the file that says where it can be reached."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from aiohttp import web

from config.loader import load
from config.section import LOOPBACK
from config.settings import Settings
from config.watcher import Watcher
from evolver.api import create_app
from evolver.daemon import Daemon
from evolver.services import STAGES
from policies.errors import OperatorError

log = logging.getLogger(__name__)

ADDRESS_FILE = "evolver.json"


async def serve(config: Path | None, home: Path, *, host: str | None = None, port: int | None = None) -> None:
    """Run until SIGTERM or SIGINT.

    Raises:
        OperatorError: the configuration, the home or the address can't be used.
    """
    settings = with_address(load(config, os.environ), host, port)
    stop = _on_signals()
    async with Daemon(settings, home) as daemon, _listener(daemon) as url:
        _say_where(home, url)
        print(f"ready {url}", flush=True)  # noqa: T201 (the one line that a supervisor waits for)
        tasks = [asyncio.create_task(daemon.run()), *_watchers(config, daemon, host, port)]
        try:
            await _first(asyncio.create_task(stop.wait()), *tasks)
        finally:
            await _cancel(*tasks)
            (home / ADDRESS_FILE).unlink(missing_ok=True)


async def serve_stage(
    stage: str, config: Path | None, home: Path, *, host: str | None = None, port: int | None = None
) -> None:
    """One of the services alone, until SIGTERM or SIGINT: it answers, and neither learns nor moves anything by itself.

    Raises:
        OperatorError: the configuration, the home or the address can't be used.
    """
    port = STAGES[stage].port if port is None else port
    settings = with_address(load(config, os.environ), host, port)
    stop = _on_signals()
    async with Daemon(settings, home) as daemon, _listener(daemon, stage) as url:
        print(f"ready {url}", flush=True)  # noqa: T201 (the one line that a supervisor waits for)
        tasks = _watchers(config, daemon, host, port)
        try:
            await _first(asyncio.create_task(stop.wait()), *tasks)
        finally:
            await _cancel(*tasks)


def _on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def once(config: Path | None, home: Path) -> None:
    """One improvement cycle of every policy, printed as JSON lines.

    Raises:
        OperatorError: the configuration or the home can't be used, or a policy has not served yet.
    """
    async with Daemon(load(config, os.environ), home) as daemon:
        for name, result in (await daemon.once()).items():
            line = {"policy": name, "said": result.said, "findings": result.findings, "added": list(result.added)}
            print(json.dumps(line), flush=True)  # noqa: T201 (the command's output)


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """The settings with the command line's address in them.

    Raises:
        OperatorError: that address is open to others and there is no token.
    """
    evolver = settings.evolver
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    evolver = evolver.model_copy(update=given)
    if evolver.host not in LOOPBACK and evolver.token is None:
        raise OperatorError(f"a listener on {evolver.host} can be reached from elsewhere: set `evolver.token`")
    return settings.model_copy(update={"evolver": evolver})


@asynccontextmanager
async def _listener(daemon: Daemon, stage: str | None = None) -> AsyncIterator[str]:
    settings = daemon.settings.evolver
    runner = web.AppRunner(create_app(daemon, stage), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        try:
            await site.start()
        except OSError as error:
            raise OperatorError(
                f"can't listen on {settings.host}:{settings.port} ({error.strerror}); choose another with --port"
            ) from error
        yield f"http://{settings.host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _watchers(config: Path | None, daemon: Daemon, host: str | None, port: int | None) -> list[asyncio.Task[None]]:
    if config is None:
        return []

    def change(settings: Settings) -> None:
        daemon.configure(with_address(settings, host, port))

    def complain(problem: str) -> None:
        log.error("the changed settings are not valid, the old ones stay in force: %s", problem)

    return [asyncio.create_task(Watcher(config, os.environ, change, complain).run())]


async def _first(*tasks: asyncio.Task[object] | asyncio.Task[None]) -> None:
    """Wait until one ends; an error of it is raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError, Exception):
            await task


def _say_where(home: Path, url: str) -> None:
    (home / ADDRESS_FILE).write_text(json.dumps({"url": url, "pid": os.getpid()}), encoding="utf-8")
