"""The gateway process: one worker with its two listeners, from start to drain; or the parent of several."""

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvloop

from config.loader import load, loads
from config.settings import Settings
from config.source import read_text
from config.watcher import Watcher
from gateway.admin.families import Family, gauge
from gateway.admin.listener import address, announce, open_admin
from gateway.admin.numbers import collect, configuration
from gateway.admin.status import arms, status
from gateway.http.server import Server
from gateway.pipeline.worker import Worker
from gateway.workers.names import writer_names
from gateway.workers.parent import Parent
from gateway.workers.runtime import allow_many_files, quieten_collector, set_up_log
from gateway.workers.serving import Place, serving
from policies.errors import OperatorError

log = logging.getLogger("evogate")


def run(
    config_path: Path | None,
    home: Path,
    *,
    host: str | None = None,
    port: int | None = None,
    workers: int | None = None,
) -> None:
    """Run a gateway until SIGTERM or SIGINT; prints `ready http://host:port` once it serves.

    Raises:
        OperatorError: it can't start, in one line that says what to do.
    """
    set_up_log()
    allow_many_files()
    text = read_text(config_path) if config_path is not None else ""
    settings = loads(text, os.environ, str(config_path or "settings"))
    set_up_log(settings.logging)
    count = workers or settings.gateway.workers
    if count == 1:
        uvloop.run(_run(Process(config_path, settings, home, host=host, port=port)))
    else:
        # Not on uvloop, which can't start processes in a group of their own; it serves no client anyway.
        asyncio.run(_run(Parent(config_path, text, settings, home, host=host, port=port, count=count)))


async def _run(process: "Process | Parent") -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, process.over.set)
    async with process.serving() as url:
        print(f"ready {url}", flush=True)  # noqa: T201  (the supervisor and people wait for this line)
        quieten_collector()
        await process.over.wait()
        log.info("draining: running answers have %.0f s", process.settings.gateway.limits.drain_s)
    if process.failure is not None:
        raise process.failure


class Process:
    """Everything that the process of a single worker opens, and in which order."""

    def __init__(
        self,
        config_path: Path | None,
        settings: Settings,
        home: Path,
        *,
        host: str | None = None,
        port: int | None = None,
    ) -> None:
        self.settings = settings
        self.over = asyncio.Event()
        self.failure: OperatorError | None = None
        self._config_path = config_path
        self._home = home
        self._host = host or settings.gateway.host
        self._port = settings.gateway.port if port is None else port
        self.worker: Worker
        self.server: Server
        self.admin_url = ""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve while the context lasts; yields the data plane's address. The end drains.

        Raises:
            OperatorError: a port, the data folder or the settings can't be used.
        """
        async with contextlib.AsyncExitStack() as stack:
            writer, *_ = writer_names(self.settings.registry, 1)
            place = Place(self._host, self._port, writer, heir_beside=(writer,))
            self.worker, self.server = await stack.enter_async_context(serving(self.settings, self._home, place))
            self.admin_url = await open_admin(self, self.settings.gateway, stack)
            self._watch(stack)
            url = address(self._host, self.server.port)
            announce(self._home, url, self.admin_url, self._config_path)
            yield url

    # -- what the admin listener asks --------------------------------------------------------------------------

    async def families(self) -> list[Family]:
        """See `Source`."""
        metrics = self.worker.core.metrics
        return [
            *await collect(self.worker),
            *configuration(metrics.reloads, metrics.reload_failures),
            gauge("evogate_workers", "Workers that serve.", 1, merge="sum"),
        ]

    async def status(self) -> dict[str, Any]:
        """See `Source`."""
        return status(self.worker)

    async def arms(self) -> list[dict[str, Any]]:
        """See `Source`."""
        return arms(self.worker)

    async def reload(self) -> dict[str, Any]:
        """See `Source`."""
        try:
            settings = load(self._config_path, os.environ)
        except OperatorError as error:
            self.worker.refused(str(error))
            raise
        await self.worker.reload(settings)
        return {"epoch": self.worker.core.epoch.number}

    def _watch(self, stack: contextlib.AsyncExitStack) -> None:
        if self._config_path is None:
            return
        reloads: set[asyncio.Task[None]] = set()

        def changed(settings: Settings) -> None:
            task = asyncio.get_running_loop().create_task(self._take_over(settings))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        watcher = Watcher(self._config_path, os.environ, changed, self.worker.refused)
        stack.push_async_callback(cancelled, asyncio.get_running_loop().create_task(watcher.run()))

    async def _take_over(self, settings: Settings) -> None:
        with contextlib.suppress(OperatorError):  # the worker has noted it
            await self.worker.reload(settings)


async def cancelled(task: asyncio.Task[None]) -> None:
    """End a task and wait until it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
