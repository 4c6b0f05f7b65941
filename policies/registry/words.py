"""An operator's word: each is recorded as one, with who and why, and counts in no stream of evidence."""

from typing import Any

from policies.registry.operations import promote, start_canary
from policies.registry.port import Registry
from policies.registry.values import Candidate, Experiment, Note, Version


async def approve(registry: Registry, candidate: Candidate, *, who: str, why: str, now: float) -> str:
    """Say yes to the step that it waits for, which is returned: its canary, or its promotion.

    Raises:
        ConflictError: somebody else changed it meanwhile.
    """
    step = "promotion" if candidate.state == "canary" else "canary"
    given: dict[str, Any] = {**candidate.stations.get("approval", {}), step: {"who": who, "why": why, "at": now}}
    await registry.advance(candidate, None, who=who, reason="", now=now, station="approval", measured=given)
    return step


async def send_to_canary(registry: Registry, candidate: Candidate, *, who: str, why: str, now: float) -> Experiment:
    """Past whatever it still waits for; the breaker watches it as any other.

    Raises:
        ConflictError: it has ended, is there already, or was changed meanwhile.
    """
    _, experiment = await start_canary(registry, candidate, who=who, reason=_override(why), counted=False, now=now)
    return experiment


async def put_into_production(registry: Registry, candidate: Candidate, *, who: str, why: str, now: float) -> Version:
    """On a word instead of evidence.

    Raises:
        ConflictError: it has ended, or it or production was changed meanwhile.
    """
    return await promote(registry, candidate, who=who, reason=_override(why), now=now, evidence={"override": why})


async def reject(registry: Registry, candidate: Candidate, *, who: str, why: str, now: float) -> Candidate:
    """End it; the same content is not tried again.

    Raises:
        ConflictError: it has ended, or was changed meanwhile.
    """
    ended = await registry.advance(candidate, "override_reject", who=who, reason=_override(why), now=now)
    for experiment in await registry.experiments(candidate.policy, running=True):
        if experiment.candidate == candidate.id:
            await registry.close_experiment(experiment.id, "INCONCLUSIVE", {"override": why}, now=now)
    return ended


async def set_frozen(registry: Registry, frozen: bool, *, who: str, why: str, now: float) -> None:
    """Stop all change everywhere, or resume it. Rollbacks still happen."""
    await registry.set_state("freeze", {"frozen": frozen, "who": who, "why": why, "at": now})
    await registry.note(Note(now, "", who, "freeze" if frozen else "thaw", "everything", {"why": why}))


def _override(why: str) -> str:
    return f"operator's override: {why}"
