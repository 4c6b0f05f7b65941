"""The provider as an aiohttp application: in a test's own loop, or as a process."""

import asyncio
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
import uvloop
from aiohttp import web

from gateway.sandbox.endpoints import Sandbox
from gateway.sandbox.faults import Schedule
from gateway.sandbox.limits import RateLimit
from gateway.sandbox.provider import Provider
from gateway.sandbox.worlds import World
from policies.errors import OperatorError

MAX_BODY_BYTES = 64 * 1024 * 1024


def create_app(
    seed: int = 0,
    *,
    delay_scale: float = 1.0,
    failure_scale: float = 1.0,
    faults: Sequence[object] = (),
    requests_per_s: float | None = None,
    world: World | None = None,
    provider: Provider | None = None,
) -> web.Application:
    """The provider's application; call it inside a running event loop.

    Args:
        seed: of the world, where no `world` is given.
        delay_scale: 1 is about 40, 20 and 8 ms a typical answer (large, medium, small model), 0 none.
        failure_scale: multiplies the models' own failure rates; 0 makes them reliable.
        faults: windows `(from_s, to_s, model pattern, kind, probability)`, counted from now.
        requests_per_s: a rate limit per credential; None for none.
        provider: instead of all but `faults` and `requests_per_s`.
    """
    provider = provider or Provider(world or World(seed), delay_scale=delay_scale, failure_scale=failure_scale)
    schedule = Schedule.parse(
        [list(w) if isinstance(w, tuple) else w for w in faults], asyncio.get_running_loop().time()
    )
    sandbox = Sandbox(provider, schedule, RateLimit(requests_per_s) if requests_per_s else None)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[sandbox.guard])
    app.add_routes(sandbox.routes())

    async def release(_app: web.Application) -> None:
        sandbox.closing.set()

    app.on_shutdown.append(release)
    return app


@asynccontextmanager
async def running_sandbox(
    seed: int = 0, *, host: str = "127.0.0.1", port: int = 0, delay_scale: float = 0.0, **options: Any
) -> AsyncIterator[str]:
    """The provider in this process, for as long as the context lasts; yields its base URL (ending in `/v1`).

    `options` are `create_app`'s; port 0 takes a free one.

    Raises:
        OSError: the address can't be bound.
    """
    app = create_app(seed, delay_scale=delay_scale, **options)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield f"http://{host}:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def serve(host: str, port: int, *, seed: int = 0, delay_scale: float = 1.0, **options: Any) -> None:
    """Serve until SIGINT or SIGTERM; prints `ready <base URL>` once it listens. `options` are `create_app`'s.

    Raises:
        OperatorError: the address can't be bound.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        async with running_sandbox(seed, host=host, port=port, delay_scale=delay_scale, **options) as base_url:
            click.echo(f"ready {base_url}")
            await stop.wait()
    except OSError as error:
        raise OperatorError(
            f"sandbox: can't listen on {host}:{port} ({error.strerror}); choose another --port"
        ) from error


def run(host: str, port: int, *, seed: int = 0, delay_scale: float = 1.0) -> None:
    """`serve` as a process of its own, on uvloop."""
    uvloop.run(serve(host, port, seed=seed, delay_scale=delay_scale))
