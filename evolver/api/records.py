"""What the registry holds: versions, experiments, findings, incidents, candidates."""

import time
from typing import Literal

from aiohttp import web
from pydantic import Field

from evolver.api.common import DAEMON, Body, body_of, policy_of, reply, version_json
from policies.registry.operations import restore as restore_version


class RestoreBody(Body):
    """Restore all of a version, or one layer of it."""

    layer: Literal["prompt", "memory", "strategy"] | None = None
    policy: str | None = None
    why: str = Field(default="restored over the API", min_length=1, max_length=500)


async def versions(request: web.Request) -> web.Response:
    """GET /api/v1/versions: newest first, the one in production marked."""
    registry, policy = request.app[DAEMON].registry, policy_of(request)
    pointer = await registry.production(policy)
    current = pointer.version if pointer else None
    found = [version_json(v) | {"production": v.label == current} for v in await registry.versions(policy)]
    return reply({"policy": policy, "versions": found[::-1]})


async def restore(request: web.Request) -> web.Response:
    """POST /api/v1/versions/{v}/restore."""
    body = await body_of(request, RestoreBody)
    registry, policy = request.app[DAEMON].registry, policy_of(request, body.policy)
    label = request.match_info["version"]
    version = await restore_version(registry, policy, label, body.layer, who="api", why=body.why, now=time.time())
    return reply({"success": True, "version": version.label, "policy": policy})


async def experiments(request: web.Request) -> web.Response:
    """GET /api/v1/experiments: newest first."""
    found = await request.app[DAEMON].registry.experiments(request.query.get("policy"))
    return reply({"experiments": found[::-1]})


async def findings(request: web.Request) -> web.Response:
    """GET /api/v1/findings: newest analysis first."""
    return reply({"findings": await request.app[DAEMON].registry.findings(request.query.get("policy"))})


async def incidents(request: web.Request) -> web.Response:
    """GET /api/v1/incidents: newest first."""
    found = await request.app[DAEMON].registry.incidents(request.query.get("policy"))
    return reply({"incidents": found[::-1]})


async def candidates(request: web.Request) -> web.Response:
    """GET /api/v1/candidates: newest first, ended ones included."""
    found = await request.app[DAEMON].registry.candidates(request.query.get("policy"))
    return reply({"candidates": found[::-1]})


ROUTES = (
    web.get("/api/v1/versions", versions),
    web.post("/api/v1/versions/{version}/restore", restore),
    web.get("/api/v1/experiments", experiments),
    web.get("/api/v1/findings", findings),
    web.get("/api/v1/incidents", incidents),
    web.get("/api/v1/candidates", candidates),
)
