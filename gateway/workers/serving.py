"""One worker and its listener, from start to drain."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from gateway.http.server import Server, serve
from gateway.pipeline.routes import refuse_self
from gateway.pipeline.worker import Worker
from gateway.telemetry.opening import watching
from gateway.workers.pins import Table
from gateway.workers.secret import secret
from policies.errors import OperatorError
from policies.registry import open_registry


@dataclass(frozen=True, slots=True)
class Place:
    """Where a worker stands. `table`: the pins that it shares with the others on its port; None: it is alone there.

    Among others it waits for `may_listen` before it does. `heir_beside`: see `Worker`.
    """

    host: str
    port: int
    writer: str = "w0"
    table: Table | None = None
    may_listen: Callable[[Worker], Awaitable[None]] | None = None
    heir_beside: Collection[str] | None = ("w0",)
    workers: int = 1  # on its port, itself among them


@contextlib.asynccontextmanager
async def serving(settings: Settings, home: Path, place: Place) -> AsyncIterator[tuple[Worker, Server]]:
    """Serve while the context lasts; the end drains.

    A worker that is alone listens at once, to tell clients that it is starting. Among others it listens when it is
    ready: until then clients are theirs.

    Raises:
        OperatorError: the port, the data folder or the settings can't be used.
    """
    refuse_self(settings.upstreams, place.host, place.port)
    async with contextlib.AsyncExitStack() as stack:
        registry = await stack.enter_async_context(open_registry(home, settings.registry.database, late=True))
        worker = Worker(
            settings,
            home,
            secret(home),
            registry,
            writer=place.writer,
            table=place.table,
            heir_beside=place.heir_beside,
            workers=place.workers,
        )
        stack.push_async_callback(worker.close)
        worker.core.observer = await watching(settings.telemetry, place.writer, stack)
        if place.may_listen is not None:
            await worker.start()
            await place.may_listen(worker)
        server = await _listen(worker, place)
        stack.push_async_callback(_drain, worker, server)
        worker.listener = (place.host, server.port)
        refuse_self(settings.upstreams, *worker.listener)
        if place.may_listen is None:
            await worker.start()
        yield worker, server


async def _listen(worker: Worker, place: Place) -> Server:
    try:
        return await serve(
            worker.app,
            host=place.host,
            port=place.port,
            limits=worker.settings.gateway.limits,
            passes=worker.app.passes,
            late=worker.app.late,
            reuse_port=place.table is not None,
        )
    except OSError as error:
        raise OperatorError(
            f"can't listen on {place.host}:{place.port} ({error.strerror or error}); "
            "stop what runs there, or choose another with --port"
        ) from error


async def _drain(worker: Worker, server: Server) -> None:
    worker.app.ready = False
    await server.drain(worker.grace_s)
