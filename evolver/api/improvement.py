"""`/api/v1/improvement/*`: where learning stands, and starting a cycle."""

import time
from typing import Any

from aiohttp import web
from pydantic import Field

from evolver.api.common import DAEMON, Body, body_of, policy_of, reply
from evolver.context import Context
from evolver.keeper import REQUEST, refreshed
from evolver.stations.promotion import Promotion
from evolver.stations.shadow import Shadow
from evolver.triggers import TriggerState, from_json, should_trigger


class TriggerBody(Body):
    """What starts a cycle; with `simulate_learnings` the rule that counts learnings is tested instead."""

    simulate_learnings: int = Field(default=0, ge=0, le=1_000_000)
    policy: str | None = None


async def status(request: web.Request) -> web.Response:
    """GET /api/v1/improvement/status."""
    context = request.app[DAEMON].context()
    name = policy_of(request)
    stored = request.app[DAEMON].keeper.states.get(name) or from_json({}, now=context.now)
    state = await refreshed(name, stored, context)
    trigger = should_trigger(state, context.settings.evolver, context.now)
    pointer = await context.registry.production(name)
    return reply(
        {
            **_state_json(state),
            "policy": name,
            "mode": context.mode(name),
            "current_model": pointer.version if pointer else None,
            "should_trigger": trigger is not None,
            "trigger_reason": f"{trigger.kind}: {trigger.reason}" if trigger else None,
            "frozen": bool((await context.registry.state("freeze")).get("frozen")),
            "candidates": await _candidates(request, name, context),
            "ingest": await context.store.progress(),
            "spent_usd": context.provider.spent_usd,
        }
    )


def _state_json(state: TriggerState) -> dict[str, Any]:
    return {
        "last_training_time": state.last_cycle_at or None,
        "last_deployment_time": state.last_deployment_at or None,
        "learnings_since_training": state.learnings,
        "training_runs": state.cycles,
        "improvement_score": state.performance,
        "outcomes": state.outcomes,
        "running": state.running,
        "last_check_time": state.last_check_at or None,
    }


async def _candidates(request: web.Request, policy: str, context: Context) -> list[dict[str, Any]]:
    """Live candidates, with what their stations have measured up to this moment."""
    running = {e.candidate: e.id for e in await context.registry.experiments(policy, running=True)}
    found = []
    for candidate in await context.registry.candidates(policy, live=True):
        measured: dict[str, Any] = {}
        for station in request.app[DAEMON].stations.get(candidate.state, ()):
            if isinstance(station, Shadow):
                measured |= {"shadow": station.progress(candidate.id)}
            elif isinstance(station, Promotion) and candidate.id in running:
                measured |= {"promotion": station.progress(running[candidate.id])}
        shown = {"id": candidate.id, "layer": candidate.layer, "state": candidate.state, "reason": candidate.reason}
        found.append({**shown, "measured": measured})
    return found


async def trigger(request: web.Request) -> web.Response:
    """POST /api/v1/improvement/trigger."""
    body = await body_of(request, TriggerBody)
    if body.policy is not None:
        policy_of(request, body.policy)
    now = time.time()
    wish = {"at": now, "who": "api", "simulate_learnings": body.simulate_learnings, "policy": body.policy}
    await request.app[DAEMON].registry.set_state(REQUEST, wish)
    message = "a cycle starts at the evolver's next look"
    if body.simulate_learnings:
        message = f"{body.simulate_learnings} learnings are simulated at the evolver's next look"
    return reply({"success": True, "message": message, "triggered_at": now}, status=202)


ROUTES = (
    web.get("/api/v1/improvement/status", status),
    web.post("/api/v1/improvement/trigger", trigger),
)
