"""What the registry holds: versions, experiments, findings, incidents, candidates."""

import time
from typing import Any, Literal

from aiohttp import web
from pydantic import Field

from evolver.api.common import DAEMON, Body, body_of, etag_of, policy_of, reply, revision_wanted
from evolver.api.paging import page
from policies.registry.manifest import manifest
from policies.registry.operations import find_version, production_of
from policies.registry.operations import restore as restore_version
from policies.registry.values import Candidate, Experiment, Incident


class RestoreBody(Body):
    """Restore all of a version, or one layer of it."""

    layer: Literal["prompt", "memory", "strategy"] | None = None
    policy: str | None = None
    why: str = Field(default="restored over the API", min_length=1, max_length=500)


async def versions(request: web.Request) -> web.Response:
    """GET /api/v1/versions: newest first, the one in production marked."""
    registry, policy, now = request.app[DAEMON].registry, policy_of(request), time.time()
    pointers = await registry.pointers(policy)
    found = [manifest(version, pointers, now) for version in await registry.versions(policy)]
    answer = reply({"policy": policy, **page(request, found[::-1], "versions", lambda one: str(one["version"]))})
    if pointers:
        answer.headers["ETag"] = etag_of(pointers[-1])
    return answer


async def version(request: web.Request) -> web.Response:
    """GET /api/v1/versions/{version}: the manifest of one; `production` names the one in production."""
    registry, policy = request.app[DAEMON].registry, policy_of(request)
    pointers = await registry.pointers(policy)
    label = request.match_info["version"]
    if label == "production":
        label = (await production_of(registry, policy))[0].label
    found = await find_version(registry, policy, label)
    answer = reply(manifest(found, pointers, time.time()))
    if pointers:
        answer.headers["ETag"] = etag_of(pointers[-1])
    return answer


async def restore(request: web.Request) -> web.Response:
    """POST /api/v1/versions/{version}/restore: as a new version, where `If-Match` allows it."""
    body = await body_of(request, RestoreBody)
    registry, policy = request.app[DAEMON].registry, policy_of(request, body.policy)
    made = await restore_version(
        registry,
        policy,
        request.match_info["version"],
        body.layer,
        who="api",
        why=body.why,
        now=time.time(),
        revision=revision_wanted(request, policy),
    )
    pointer = await registry.production(policy)
    answer = reply({"success": True, "version": made.label, "policy": policy})
    if pointer is not None:
        answer.headers["ETag"] = etag_of(pointer)
    return answer


async def experiments(request: web.Request) -> web.Response:
    """GET /api/v1/experiments: newest first, each with its candidate's way through the stations."""
    registry = request.app[DAEMON].registry
    by_id = {candidate.id: candidate for candidate in await registry.candidates(request.query.get("policy"))}
    found = await registry.experiments(request.query.get("policy"))
    shown = page(request, found[::-1], "experiments", lambda one: one.id)
    now = time.time()
    shown["experiments"] = [_experiment(one, by_id.get(one.candidate), now) for one in shown["experiments"]]
    return reply(shown)


def _experiment(experiment: Experiment, candidate: Candidate | None, now: float) -> dict[str, Any]:
    """The whole trail of one, but its salt: who knows that could foretell draws."""
    names = ("id", "policy", "candidate", "control", "ordinal", "started_at", "ended_at", "verdict", "evidence")
    ended_at = now if experiment.ended_at is None else experiment.ended_at
    return {
        **{name: getattr(experiment, name) for name in names},
        "duration_s": ended_at - experiment.started_at,
        "layer": candidate.layer if candidate else None,
        "finding": candidate.lineage.finding if candidate else None,
        "state": candidate.state if candidate else None,
        "reason": candidate.reason if candidate else None,
        "stations": candidate.stations if candidate else {},
    }


async def findings(request: web.Request) -> web.Response:
    """GET /api/v1/findings: newest analysis first."""
    found = await request.app[DAEMON].registry.findings(request.query.get("policy"))
    return reply(page(request, found, "findings", lambda one: one.id))


async def incidents(request: web.Request) -> web.Response:
    """GET /api/v1/incidents: newest first, each with what the arm at fault had been exposed to."""
    daemon = request.app[DAEMON]
    found = await daemon.registry.incidents(request.query.get("policy"))
    shown = page(request, found[::-1], "incidents", lambda one: one.id)
    candidates = {candidate.id: candidate for candidate in await daemon.registry.candidates()}
    shown["incidents"] = [await _incident(one, candidates.get(one.subject), request) for one in shown["incidents"]]
    return reply(shown)


async def _incident(incident: Incident, candidate: Candidate | None, request: web.Request) -> dict[str, Any]:
    names = ("id", "policy", "kind", "at", "subject", "summary", "evidence", "resolved_at")
    arm = incident.evidence.get("subject") or (candidate.genome.content_hash if candidate is not None else None)
    exposure = await request.app[DAEMON].store.exposure(incident.policy, arm) if arm else None
    return {**{name: getattr(incident, name) for name in names}, "exposure": exposure}


async def candidates(request: web.Request) -> web.Response:
    """GET /api/v1/candidates: newest first, ended ones included."""
    found = await request.app[DAEMON].registry.candidates(request.query.get("policy"))
    return reply(page(request, found[::-1], "candidates", lambda one: one.id))


async def tombstones(request: web.Request) -> web.Response:
    """GET /api/v1/tombstones: content that failed and is not tried again, newest first."""
    found = await request.app[DAEMON].registry.tombstones(policy_of(request))
    return reply(page(request, found[::-1], "tombstones", lambda one: one.content_hash))


ROUTES = (
    web.get("/api/v1/versions", versions),
    web.get("/api/v1/versions/{version}", version),
    web.post("/api/v1/versions/{version}/restore", restore),
    web.get("/api/v1/experiments", experiments),
    web.get("/api/v1/findings", findings),
    web.get("/api/v1/incidents", incidents),
    web.get("/api/v1/candidates", candidates),
    web.get("/api/v1/tombstones", tombstones),
)
