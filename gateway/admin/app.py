"""The admin listener: `/metrics`, `/admin/status`, `/admin/arms`, `/admin/reload`.

1. A request whose `Host` is not the listener's is refused (DNS rebinding), and so is one with a foreign `Origin`.
2. A listener that is not on loopback asks everybody for the token.
"""

import hmac
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.admin.exposition import CONTENT_TYPE, exposition
from gateway.admin.families import Family
from gateway.admin.page import Page
from policies.errors import OperatorError

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Source(Protocol):
    """The gateway as the admin listener sees it: one worker, or all of them."""

    async def families(self) -> list[Family]:
        """What `/metrics` shows."""

    async def status(self) -> dict[str, Any]:
        """What `/admin/status` shows."""

    async def arms(self) -> list[dict[str, Any]]:
        """What `/admin/arms` shows."""

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again and take it over; facts about the epoch that came of it.

        Raises:
            OperatorError: it is not in force.
        """


def create_app(source: Source, *, host: str, token: str | None) -> web.Application:
    """The admin application of a gateway.

    Raises:
        OperatorError: the listener is not on loopback, and there is no token.
    """
    if token is None and not is_loopback(host):
        raise OperatorError(f"gateway.admin_host {host} is not loopback: set gateway.admin_token, or use 127.0.0.1")
    app = web.Application(middlewares=[_guard(host, token)])
    metrics, status, arms = (Page(make) for make in _makers(source))

    async def do_reload(_: web.Request) -> web.Response:
        try:
            facts = await source.reload()
        except OperatorError as error:
            return _json({"reloaded": False, "error": str(error)}, status=422)
        finally:
            for page in (metrics, status, arms):
                page.forget()
        return _json({"reloaded": True, **facts})

    app.router.add_get("/metrics", _shown(metrics, CONTENT_TYPE))
    app.router.add_get("/admin/status", _shown(status, "application/json"))
    app.router.add_get("/admin/arms", _shown(arms, "application/json"))
    app.router.add_post("/admin/reload", do_reload)
    return app


def _makers(source: Source) -> tuple[Callable[[], Awaitable[bytes]], ...]:
    async def metrics() -> bytes:
        return exposition(await source.families())

    async def status() -> bytes:
        return _bytes(await source.status())

    async def arms() -> bytes:
        return _bytes({"arms": await source.arms()})

    return metrics, status, arms


def _shown(page: Page, content_type: str) -> Handler:
    async def show(_: web.Request) -> web.Response:
        return web.Response(body=await page(), headers={"content-type": content_type})

    return show


def _guard(host: str, token: str | None) -> Middleware:
    known = _LOCAL_NAMES | {host}

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("origin")
        if token is None and (_name(request.host) not in known or (origin and urlsplit(origin).hostname not in known)):
            return _json({"error": "this listener serves its own machine only"}, status=403)
        if token is not None:
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(sent.encode(), token.encode()):
                return _json({"error": "send the admin token: Authorization: Bearer ..."}, status=401)
        return await handler(request)

    return guard


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def _json(value: object, *, status: int = 200) -> web.Response:
    return web.Response(body=_bytes(value), status=status, content_type="application/json")


def _bytes(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
