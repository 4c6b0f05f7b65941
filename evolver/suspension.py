"""A candidate whose upstream is at fault is suspended, not blamed: it leaves the draw until that one answers again.

Only where production is served by another upstream: a fault that both share cancels in the comparison. The comparison
that ran ends without a verdict; after a pause, and an answer to a probe, another one begins at the floor, which may
spend half of what the one before it might (`policies.evidence.returns`).

An outage counts for the comparison that it fell into, over or not by the time somebody looks: by the gateways' word
(the incident), or by the recordings where they left none.
"""

import logging
import secrets
from math import inf
from typing import Any

from evolver.context import Context, frozen
from evolver.outages import Outage, Outages
from evolver.provider import model_key_of
from policies.evidence.returns import pause_s, tries_of
from policies.genome import Genome
from policies.registry.operations import production_of
from policies.registry.values import Candidate, Experiment, Incident

log = logging.getLogger(__name__)

PROBE: dict[str, Any] = {"messages": [{"role": "user", "content": "ping"}], "max_tokens": 1}


async def suspended(candidate: Candidate, experiment: Experiment | None, outages: Outages, context: Context) -> bool:
    """Whether the candidate is out of its canary for now; suspends it and lets it return. Safe to be cut off anywhere.

    Raises:
        ConflictError: somebody else changed the candidate meanwhile.
    """
    noted = candidate.stations.get("canary", {}).get("suspended")
    upstream = await upstream_at_fault(candidate, experiment, outages, context)
    if upstream is not None and experiment is not None:
        if noted is None:
            await _suspend(candidate, experiment, upstream, context)
        await context.registry.close_experiment(experiment.id, "INCONCLUSIVE", {}, now=context.now)
        return True
    if noted is not None and upstream is not None and await _left_open(candidate, noted, upstream, context):
        upstream = None
    if noted is not None and upstream is None and not await frozen(context.registry):
        if experiment is None:
            if not await _may_return(candidate, noted, context):
                return True
            await _reopen(candidate, noted, context)
        await _note(candidate, "returns at the floor: its upstream answers again", context, {"suspended": None})
    return experiment is None


def upstream_of(genome: Genome, context: Context) -> str | None:
    """The upstream that serves a genome where the client names no model."""
    key = model_key_of(context.settings, genome, {})
    return context.settings.models[key].upstream if key in context.settings.models else None


async def upstream_at_fault(
    candidate: Candidate, experiment: Experiment | None, outages: Outages, context: Context
) -> str | None:
    """The candidate's upstream, where it alone uses it and it is down, or was during that comparison."""
    upstream = upstream_of(candidate.genome, context)
    production, _ = await production_of(context.registry, candidate.policy)
    if upstream is None or upstream == upstream_of(production.genome, context):
        return None
    incidents = await context.registry.incidents(candidate.policy)
    since = experiment.started_at if experiment is not None else inf
    told = [i for i in incidents if i.kind == "PROVIDER" and i.subject == upstream]
    if any(i.resolved_at is None or i.resolved_at > since for i in told):
        return upstream
    found = await outages.during(candidate, experiment, context) if experiment is not None else None
    if found is None:
        return None
    await _write_down(candidate.policy, upstream, found, context)
    return upstream


async def _write_down(policy: str, upstream: str, found: Outage, context: Context) -> None:
    """The incident that no gateway has left, under the name that it would have had.

    It is closed at once: the suspension ends what would show that the upstream answers again, and a probe follows.
    """
    began = found.state.since or context.now
    incident = Incident(
        f"provider-{upstream}-{policy}-{int(began)}",
        policy,
        "PROVIDER",
        began,
        upstream,
        "Failures rose on every arm of this upstream, as the recordings show: it is the provider, not a version.",
        found.state.evidence,
    )
    await context.registry.add_incident(incident)
    await context.registry.resolve_incident(incident.id, now=found.until)


async def _left_open(candidate: Candidate, noted: dict[str, Any], upstream: str, context: Context) -> bool:
    """Whether the incident is all that is left of the outage: no gateway lives that would end it.

    One that lives ends it with the arms that showed it, which a suspension takes away. So an incident that is older
    than the breaker's window, beside an upstream that answers, is ended here.
    """
    policy = context.policy(candidate.policy)
    incidents = [i for i in await context.registry.incidents(candidate.policy) if i.resolved_at is None]
    ours = [i for i in incidents if i.kind == "PROVIDER" and i.subject == upstream]
    if policy is None or any(context.now - i.at < policy.breaker.window_s for i in ours):
        return False
    if not await _may_return(candidate, noted, context):
        return False
    for incident in ours:
        log.info("incident %s is over: its upstream answers, and nobody has ended it", incident.id)
        await context.registry.resolve_incident(incident.id, now=context.now)
    return True


async def _suspend(candidate: Candidate, experiment: Experiment, upstream: str, context: Context) -> None:
    noted = {"upstream": upstream, "at": context.now, "counted": experiment.ordinal > 0}
    values = {"suspended": noted, "tries": tries_of(candidate.stations) + 1}
    await _note(candidate, f"suspended: its upstream '{upstream}' is at fault", context, values)


async def _may_return(candidate: Candidate, noted: dict[str, Any], context: Context) -> bool:
    pause = pause_s(tries_of(candidate.stations) - 1)
    if context.now < float(noted["at"]) + pause:
        return False
    key = model_key_of(context.settings, candidate.genome, {})
    if key is None or not context.provider.usable(key):
        return True  # nobody but its own traffic can tell
    completion = await context.provider.complete(key, PROBE)
    if completion.down:
        log.info("candidate %s stays suspended: its upstream does not answer (%s)", candidate.id, completion.error)
    return not completion.down


async def _reopen(candidate: Candidate, noted: dict[str, Any], context: Context) -> None:
    production, _ = await production_of(context.registry, candidate.policy)
    await context.registry.open_experiment(
        candidate.policy,
        candidate.id,
        production.label,
        salt=secrets.token_hex(16),
        counted=bool(noted["counted"]),
        now=context.now,
    )


async def _note(candidate: Candidate, reason: str, context: Context, values: dict[str, Any]) -> None:
    log.info("candidate %s %s", candidate.id, reason)
    measured = {**candidate.stations.get("canary", {}), **values}
    await context.registry.advance(
        candidate, None, who="evolver", reason=reason, now=context.now, station="canary", measured=measured
    )
