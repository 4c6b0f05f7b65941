"""The application: routes, the token, and errors as JSON."""

import hmac
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import ValidationError

from evolver.api.common import DAEMON, envelope, reply
from evolver.api.idempotency import RUNNING, once
from evolver.api.openapi import ROUTES, describe
from evolver.services import STAGES
from policies.errors import ClientError, ConflictError, EvoGateError, NotFoundError, ProviderError, StaleError

if TYPE_CHECKING:
    from evolver.daemon import Daemon

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
OPEN = frozenset({"/health"})
MAX_BODY = 8 << 20
STATUSES: tuple[tuple[type[EvoGateError], int], ...] = (
    (NotFoundError, 404),
    (StaleError, 412),
    (ConflictError, 409),
    (ClientError, 400),
    (ProviderError, 502),
    (EvoGateError, 503),  # the registry, a file or a setting: whoever asked can't help it
)


DOCUMENT: web.AppKey[dict[str, Any]] = web.AppKey("document")


def create_app(daemon: "Daemon", stage: str | None = None) -> web.Application:
    """The API over one daemon; with `stage`, that one service alone."""
    routes = [route for route in ROUTES if stage is None or route.path == STAGES[stage].path]
    app = web.Application(middlewares=[_errors, _guard, once], client_max_size=MAX_BODY)
    app[DAEMON] = daemon
    app[RUNNING] = set()
    app[DOCUMENT] = describe(routes, f"EvoGate evolver: {stage}" if stage else "EvoGate evolver")
    app.add_routes(
        [
            web.get("/health", _health),
            web.get("/metrics", _metrics),
            web.get("/openapi.json", _openapi),
            *routes,
        ]
    )
    return app


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong becomes one envelope with the fitting status."""
    try:
        return await handler(request)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(map(str, problem["loc"]))
        return envelope(400, f"{where}: {problem['msg']}" if where else problem["msg"], where or None)
    except EvoGateError as error:
        return envelope(next(status for kind, status in STATUSES if isinstance(error, kind)), str(error))
    except web.HTTPException as error:
        answer = envelope(error.status, error.reason)
        answer.headers.update({name: value for name, value in error.headers.items() if name == "Allow"})
        return answer
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return envelope(500, "a fault inside the evolver; its log says more")


@web.middleware
async def _guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The token where one is set; and no request that a browser sends on behalf of some web page."""
    origin = request.headers.get("origin")
    if origin is not None and origin.partition("://")[2] != request.host:
        return envelope(403, "requests from another origin are refused")
    token = request.app[DAEMON].settings.evolver.token
    if token is not None and request.path not in OPEN:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
            return envelope(401, "send `authorization: Bearer <evolver.token>`")
    return await handler(request)


async def _health(_: web.Request) -> web.Response:
    return reply({"status": "ok"})


async def _openapi(request: web.Request) -> web.Response:
    return reply(request.app[DOCUMENT])


async def _metrics(request: web.Request) -> web.Response:
    text = await request.app[DAEMON].exposition()
    return web.Response(body=text, headers={"content-type": "text/plain; version=0.0.4; charset=utf-8"})
