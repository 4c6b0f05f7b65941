"""A promotion carried out: version, pointer, holdback, prompt file, news. Safe to be cut off anywhere and repeated."""

import secrets
from typing import Any

from config.policy import Policy
from evolver.context import Context
from evolver.publish import publish
from evolver.training.run import STATION as TRAINED
from policies.registry.operations import find_version, production_of, promote
from policies.registry.values import Candidate, Holdback, Version


async def deploy(candidate: Candidate, evidence: dict[str, Any], policy: Policy, context: Context) -> Version:
    """Put the candidate into production.

    Raises:
        ConflictError: production or the candidate changed since they were read; the next round decides anew.
    """
    reason = f"proven in canary: e-value {evidence['e_value']:g}, {evidence.get('threshold', 0):g} needed"
    version, pointer = await production_of(context.registry, candidate.policy)
    experiments = await context.registry.experiments(candidate.policy)
    control = next(e.control for e in reversed(experiments) if e.candidate == candidate.id)
    if version.evidence.get("candidate") == candidate.id:
        # Cut off behind the move: what is left is to close the experiment and to advance the candidate.
        await _finish(candidate, version, evidence, reason, context)
    else:
        control = pointer.version
        version = await promote(
            context.registry, candidate, who="evolver", reason=reason, now=context.now, evidence=evidence
        )
    previous = await find_version(context.registry, candidate.policy, control)
    await _hold_back(previous, version, policy, context)
    await publish(context, version, previous, candidate.stations.get(TRAINED))
    detail = {"version": version.label, "previous": previous.label, "candidate": candidate.id, "why": reason}
    context.webhook.send("promotion", candidate.policy, context.now, {**detail, "evidence": evidence})
    return version


async def _finish(
    candidate: Candidate, version: Version, evidence: dict[str, Any], reason: str, context: Context
) -> None:
    for experiment in await context.registry.experiments(candidate.policy, running=True):
        if experiment.candidate == candidate.id:
            await context.registry.close_experiment(experiment.id, "PROMOTE", evidence, now=context.now)
    measured = {"version": version.label, **evidence}
    await context.registry.advance(
        candidate, "pass", who="evolver", reason=reason, now=context.now, station="promotion", measured=measured
    )


async def _hold_back(previous: Version, version: Version, policy: Policy, context: Context) -> None:
    """Keep a share on the previous version, so that the comparison goes on until the new one is confirmed."""
    if policy.promotion.holdback <= 0.0:
        return
    holdback = Holdback(
        policy=version.policy,
        version=previous.label,
        share=policy.promotion.holdback,
        experiment=holdback_experiment(version.policy, version.label),
        salt=secrets.token_hex(16),
        since=context.now,
    )
    await context.registry.set_holdback(version.policy, holdback, now=context.now)


def holdback_experiment(policy: str, label: str) -> str:
    """The name under which units are recorded that compare a promoted version with its predecessor."""
    return f"holdback-{policy}-{label}"
