"""The gateway process: one worker with its two listeners, from start to drain."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import uvloop
from aiohttp import web

from config.loader import load
from config.settings import Settings
from config.watcher import Watcher
from gateway.admin.app import create_app
from gateway.http.server import Server, serve
from gateway.pipeline.routes import refuse_self
from gateway.pipeline.worker import Worker
from policies.errors import OperatorError
from policies.registry import open_registry

log = logging.getLogger("evogate")

_SECRET_BYTES = 32
# The path makes no cycles, but what it remembers of each request lets the defaults collect every hundred requests:
# a third of the processor time of a request, measured.
_GC_THRESHOLDS = (20_000, 20, 50)


def run(config_path: Path | None, home: Path, *, host: str | None = None, port: int | None = None) -> None:
    """Run a gateway until SIGTERM or SIGINT; prints `ready http://host:port` once it serves.

    Raises:
        OperatorError: it can't start, in one line that says what to do.
    """
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = load(config_path, os.environ)
    uvloop.run(_run(Process(config_path, settings, home, host=host, port=port)))


async def _run(process: "Process") -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with process.serving() as address:
        print(f"ready {address}", flush=True)  # noqa: T201  (the supervisor and people wait for this line)
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        await stop.wait()
        log.info("draining: running answers have %.0f s", process.settings.gateway.limits.drain_s)


class Process:
    """Everything that a gateway process opens, and in which order."""

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
        refuse_self(self.settings.upstreams, self._host, self._port)
        async with contextlib.AsyncExitStack() as stack:
            registry = await stack.enter_async_context(open_registry(self._home))
            self.worker = Worker(self.settings, self._home, secret(self._home), registry)
            stack.push_async_callback(self.worker.close)
            self.server = await self._listen()
            stack.push_async_callback(self._drain)
            self.worker.listener = (self._host, self.server.port)
            refuse_self(self.settings.upstreams, *self.worker.listener)
            await self.worker.start()
            await self._open_admin(stack)
            await self._watch(stack)
            address = f"http://{_bracketed(self._host)}:{self.server.port}"
            self._announce(address)
            yield address

    async def reload(self) -> None:
        """Read the configuration again and take it over.

        Raises:
            OperatorError: it is not valid; the old one stays in force.
        """
        try:
            settings = load(self._config_path, os.environ)
        except OperatorError as error:
            self.worker.refused(str(error))
            raise
        await self.worker.reload(settings)

    async def _listen(self) -> Server:
        try:
            return await serve(self.worker.app, host=self._host, port=self._port, limits=self.settings.gateway.limits)
        except OSError as error:
            raise OperatorError(
                f"can't listen on {self._host}:{self._port} ({error.strerror or error}); "
                "stop what runs there, or choose another with --port"
            ) from error

    async def _drain(self) -> None:
        self.worker.app.ready = False
        await self.server.drain(self.settings.gateway.limits.drain_s)

    async def _open_admin(self, stack: contextlib.AsyncExitStack) -> None:
        gateway = self.settings.gateway
        secret_token = gateway.admin_token
        token = secret_token.get_secret_value() if secret_token is not None else None
        app = create_app(self.worker, host=gateway.admin_host, token=token, reload=self.reload)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, gateway.admin_host, gateway.admin_port)
        try:
            await site.start()
        except OSError as error:
            raise OperatorError(
                f"can't listen on {gateway.admin_host}:{gateway.admin_port} ({error.strerror or error}); "
                "set gateway.admin_port to a free port, or to 0"
            ) from error
        port = runner.addresses[0][1]
        self.admin_url = f"http://{_bracketed(gateway.admin_host)}:{port}"

    async def _watch(self, stack: contextlib.AsyncExitStack) -> None:
        if self._config_path is None:
            return
        loop = asyncio.get_running_loop()
        reloads: set[asyncio.Task[None]] = set()

        def changed(settings: Settings) -> None:
            task = loop.create_task(self._take_over(settings))
            reloads.add(task)
            task.add_done_callback(reloads.discard)

        watcher = Watcher(self._config_path, os.environ, changed, self.worker.refused)
        task = loop.create_task(watcher.run())
        stack.push_async_callback(_cancel, task)

    async def _take_over(self, settings: Settings) -> None:
        with contextlib.suppress(OperatorError):  # the worker has noted it
            await self.worker.reload(settings)

    def _announce(self, address: str) -> None:
        config = str(self._config_path.resolve()) if self._config_path is not None else None
        facts = {"url": address, "admin": self.admin_url, "pid": os.getpid(), "config": config}
        partial = self._home / ".gateway.json"
        partial.write_bytes(orjson.dumps(facts))
        partial.replace(self._home / "gateway.json")  # whoever reads it finds all of it


def secret(home: Path) -> bytes:
    """The data folder's secret (32 bytes), made at first use: it keys unit hashes and salts.

    Raises:
        OperatorError: it can't be read or written, or has a wrong length.
    """
    path = home / "secret"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(_SECRET_BYTES))
        value = path.read_bytes()
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}; set EVOGATE_HOME to a folder of yours") from error
    if len(value) != _SECRET_BYTES:
        raise OperatorError(
            f"{path}: holds {len(value)} bytes, not {_SECRET_BYTES}; restore it, or remove it to begin anew"
        )
    return value


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
