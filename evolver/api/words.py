"""An operator's word over HTTP, as the command line gives it."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import Field

from evolver.api.common import DAEMON, Body, body_of, reply
from policies.errors import StaleError
from policies.registry import words
from policies.registry.port import Registry
from policies.registry.values import Candidate

WHO = "api"
Work = Callable[[Registry, Candidate, str], Awaitable[dict[str, Any]]]


class WordBody(Body):
    """Why it is done; kept in the history."""

    why: str = Field(default="no reason given", min_length=1, max_length=500)


async def approve(request: web.Request) -> web.Response:
    """POST /api/v1/candidates/{candidate}/approve: yes to the step that it waits for."""

    async def work(registry: Registry, found: Candidate, why: str) -> dict[str, Any]:
        return {"step": await words.approve(registry, found, who=WHO, why=why, now=time.time())}

    return await _on_candidate(request, work)


async def canary(request: web.Request) -> web.Response:
    """POST /api/v1/candidates/{candidate}/canary: straight to its canary, as an override."""

    async def work(registry: Registry, found: Candidate, why: str) -> dict[str, Any]:
        experiment = await words.send_to_canary(registry, found, who=WHO, why=why, now=time.time())
        return {"experiment": experiment.id}

    return await _on_candidate(request, work)


async def promote(request: web.Request) -> web.Response:
    """POST /api/v1/candidates/{candidate}/promote: into production, as an override."""

    async def work(registry: Registry, found: Candidate, why: str) -> dict[str, Any]:
        version = await words.put_into_production(registry, found, who=WHO, why=why, now=time.time())
        return {"version": version.label}

    return await _on_candidate(request, work)


async def reject(request: web.Request) -> web.Response:
    """POST /api/v1/candidates/{candidate}/reject: the end of it and of its content."""

    async def work(registry: Registry, found: Candidate, why: str) -> dict[str, Any]:
        return {"state": (await words.reject(registry, found, who=WHO, why=why, now=time.time())).state}

    return await _on_candidate(request, work)


async def freeze(request: web.Request) -> web.Response:
    """POST /api/v1/freeze: stop all change everywhere; rollbacks still happen."""
    return await _set_frozen(request, True)


async def thaw(request: web.Request) -> web.Response:
    """POST /api/v1/thaw: resume change."""
    return await _set_frozen(request, False)


async def _on_candidate(request: web.Request, work: Work) -> web.Response:
    body = await body_of(request, WordBody)
    registry = request.app[DAEMON].registry
    candidate = await registry.candidate(request.match_info["candidate"])
    given = request.headers.get("If-Match")
    if given is not None and given.strip() not in {"*", _etag(candidate)}:
        raise StaleError(
            f"If-Match: {given[:100]} is not the present ETag of candidate '{candidate.id}', which is "
            f"{_etag(candidate)} (its id and revision); read it again and retry"
        )
    said = await work(registry, candidate, body.why)
    answer = reply({"success": True, "candidate": candidate.id, **said})
    answer.headers["ETag"] = _etag(await registry.candidate(candidate.id))
    return answer


async def _set_frozen(request: web.Request, frozen: bool) -> web.Response:
    body = await body_of(request, WordBody)
    await words.set_frozen(request.app[DAEMON].registry, frozen, who=WHO, why=body.why, now=time.time())
    return reply({"success": True, "frozen": frozen})


def _etag(candidate: Candidate) -> str:
    """What stands for a candidate at this moment; both parts are in `GET /api/v1/candidates`."""
    return f'"{candidate.id}:{candidate.revision}"'


ROUTES = (
    web.post("/api/v1/candidates/{candidate}/approve", approve),
    web.post("/api/v1/candidates/{candidate}/canary", canary),
    web.post("/api/v1/candidates/{candidate}/promote", promote),
    web.post("/api/v1/candidates/{candidate}/reject", reject),
    web.post("/api/v1/freeze", freeze),
    web.post("/api/v1/thaw", thaw),
)
