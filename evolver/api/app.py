"""The application: routes, the token, and errors as JSON."""

import hmac
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import ValidationError

from evolver.api import improvement, records, services
from evolver.api.common import DAEMON, reply
from evolver.api.openapi import DESCRIPTION
from policies.errors import ConflictError, EvoGateError, NotFoundError

if TYPE_CHECKING:
    from evolver.daemon import Daemon

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OPEN = frozenset({"/health"})
MAX_BODY = 8 << 20


def create_app(daemon: "Daemon") -> web.Application:
    """The API over one daemon."""
    app = web.Application(middlewares=[_errors, _guard], client_max_size=MAX_BODY)
    app[DAEMON] = daemon
    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/metrics", _metrics),
            web.get("/openapi.json", _openapi),
            *improvement.ROUTES,
            *records.ROUTES,
            *services.ROUTES,
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Anything raised on purpose becomes an envelope with the fitting status."""
    try:
        return await handler(request)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        return _envelope(400, f"{where}: {problem['msg']}" if where else problem["msg"])
    except NotFoundError as error:
        return _envelope(404, str(error))
    except ConflictError as error:
        return _envelope(409, str(error))
    except EvoGateError as error:
        return _envelope(400, str(error))
    except web.HTTPException as error:
        return _envelope(error.status, error.reason)


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The token where one is set; and no request that a browser sends on behalf of some web page."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return _envelope(403, "requests from another origin are refused")
    token = request.app[DAEMON].settings.evolver.token
    if token is not None and request.path not in OPEN:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return _envelope(401, "send `authorization: Bearer <evolver.token>`")
    return await handler(request)


def _envelope(status: int, message: str) -> web.Response:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return reply({"error": {"message": message, "type": kind, "param": None, "code": None}}, status=status)


async def _health(_: web.Request) -> web.Response:
    return reply({"status": "ok"})


async def _openapi(_: web.Request) -> web.Response:
    return reply(DESCRIPTION)


async def _metrics(request: web.Request) -> web.Response:
    daemon = request.app[DAEMON]
    candidates = await daemon.registry.candidates()
    text = daemon.metrics.text(candidates, daemon.provider, daemon.webhook)
    return web.Response(body=text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})
