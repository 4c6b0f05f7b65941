"""Opening the admin listener, and telling other commands where the gateway is."""

import contextlib
import os
from pathlib import Path

import orjson
from aiohttp import web

from config.settings import Gateway
from gateway.admin.app import Source, create_app
from policies.errors import OperatorError


async def open_admin(source: Source, settings: Gateway, stack: contextlib.AsyncExitStack) -> str:
    """Serve `source` until `stack` ends; the listener's address.

    Raises:
        OperatorError: it can't listen there, or may not without a token.
    """
    token = settings.admin_token.get_secret_value() if settings.admin_token is not None else None
    runner = web.AppRunner(create_app(source, host=settings.admin_host, token=token), access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    site = web.TCPSite(runner, settings.admin_host, settings.admin_port)
    try:
        await site.start()
    except OSError as error:
        raise OperatorError(
            f"can't listen on {settings.admin_host}:{settings.admin_port} ({error.strerror or error}); "
            "set gateway.admin_port to a free port, or to 0"
        ) from error
    return address(settings.admin_host, runner.addresses[0][1])


def address(host: str, port: int) -> str:
    """As a URL."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def announce(home: Path, url: str, admin: str, config: Path | None) -> None:
    """Write `gateway.json`, for commands that ask a running gateway."""
    facts = {
        "url": url,
        "admin": admin,
        "pid": os.getpid(),
        "config": str(config.resolve()) if config is not None else None,
    }
    partial = home / ".gateway.json"
    partial.write_bytes(orjson.dumps(facts))
    partial.replace(home / "gateway.json")  # whoever reads it finds all of it
