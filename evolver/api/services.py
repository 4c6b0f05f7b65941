"""The stages of a cycle as services: cluster, generate patches, rank, and train. The first three change nothing."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel

from evolver.api import train
from evolver.api.common import DAEMON, body_of, reply
from evolver.context import Context
from evolver.services.messages import ClusterRequest, PatchesRequest, RankRequest, Request
from evolver.services.work import clusters, patches, ranks

R = TypeVar("R", bound=Request)


async def _answer(
    request: web.Request, kind: type[R], work: Callable[[R, Context], Awaitable[BaseModel]]
) -> web.Response:
    asked = await body_of(request, kind)
    if asked.policy is None and "policy" in request.query:
        asked = asked.model_copy(update={"policy": request.query["policy"]})
    return reply(await work(asked, request.app[DAEMON].context()))


async def cluster(request: web.Request) -> web.Response:
    """POST /api/v1/cluster."""
    return await _answer(request, ClusterRequest, clusters)


async def generate_patches(request: web.Request) -> web.Response:
    """POST /api/v1/generate-patches."""
    return await _answer(request, PatchesRequest, patches)


async def rank(request: web.Request) -> web.Response:
    """POST /api/v1/rank."""
    return await _answer(request, RankRequest, ranks)


ROUTES = (
    web.post("/api/v1/cluster", cluster),
    web.post("/api/v1/generate-patches", generate_patches),
    web.post("/api/v1/rank", rank),
    *train.ROUTES,
)
