"""Opening the admin listener, and telling other commands where the gateway is."""

import contextlib
import os
from pathlib import Path

import orjson

from config.gateway import Gateway, Limits
from gateway.admin.app import Admin, Source
from gateway.http.server import serve
from policies.errors import OperatorError

LIMITS = Limits(connections=256, body_bytes=65_536)  # nobody has much to say here
DRAIN_S = 1.0


async def open_admin(source: Source, settings: Gateway, stack: contextlib.AsyncExitStack) -> str:
    """Serve `source` until `stack` ends; the listener's address.

    Raises:
        OperatorError: it can't listen there, or may not without a token.
    """
    token = settings.admin_token.get_secret_value() if settings.admin_token is not None else None
    admin = Admin(source, host=settings.admin_host, token=token)
    stack.callback(admin.close)
    try:
        server = await serve(admin, host=settings.admin_host, port=settings.admin_port, limits=LIMITS)
    except OSError as error:
        raise OperatorError(
            f"can't listen on {settings.admin_host}:{settings.admin_port} ({error.strerror or error}); "
            "set gateway.admin_port to a free port, or to 0"
        ) from error
    stack.push_async_callback(server.drain, DRAIN_S)
    return address(settings.admin_host, server.port)


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
