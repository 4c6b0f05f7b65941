"""The demo's script: a harmful candidate that an operator waves through, and the closing comparison with v1.0."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

import orjson

from gateway.sandbox.rules import HARMFUL_RULE
from policies.errors import ConflictError
from policies.lifecycle import State
from policies.registry.operations import production_of, start_canary
from policies.registry.port import Registry
from policies.registry.values import Candidate, Holdback, Note, Version

POLICY = "assistant"
WHO = "operator:demo"
LOOK_S = 0.05
HARMFUL_FILE = "p_harmful.json"


async def harm(registry: Registry, home: Path) -> Candidate:
    """Wave a harmful candidate straight from `gated` to canary; the candidate there.

    Its rule breaks no validator, so it passes the gates; shadow and judge would have stopped it.
    """
    version, _ = await production_of(registry, POLICY)
    _write_prompt(home / "prompt_registry", version)
    while True:
        candidates = await _until(registry, lambda candidates: any(_waits(candidate) for candidate in candidates))
        harmful = next(candidate for candidate in candidates if _waits(candidate))
        with contextlib.suppress(ConflictError):
            reason = "operator's override: the demo waves a harmful candidate through"
            started, _ = await start_canary(registry, harmful, who=WHO, reason=reason, counted=False, now=time.time())
            return started


async def end_of(registry: Registry, candidate: Candidate) -> State:
    """The state in which a candidate ends."""
    await _until(registry, lambda live: all(other.id != candidate.id for other in live))
    return (await registry.candidate(candidate.id)).state


def _write_prompt(folder: Path, version: Version) -> None:
    """Propose production's rules and the harmful one, as an operator would: by a file."""
    rules = [rule.text for rule in version.genome.prompt.rubric]
    document = {
        "prompt_id": "harmful",
        "version": version.label,
        "source": "operator",
        "text": "\n\n".join([*rules, HARMFUL_RULE]),
        "metadata": {"created_at": time.time(), "reward_gain": None, "cluster_id": None},
    }
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{HARMFUL_FILE}"
    partial.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    partial.rename(folder / HARMFUL_FILE)


def _waits(candidate: Candidate) -> bool:
    """Whether it is the harmful one, past its gates and not yet in canary."""
    harmful = any(rule.text == HARMFUL_RULE for rule in candidate.genome.prompt.rubric)
    return harmful and candidate.state in {"gated", "shadow", "judged"}


async def _until(registry: Registry, holds: Callable[[list[Candidate]], bool]) -> list[Candidate]:
    while not holds(candidates := await registry.candidates(POLICY, live=True)):  # noqa: ASYNC110 (others write it)
        await asyncio.sleep(LOOK_S)
    return candidates


async def compare_with_first(registry: Registry, share: float) -> tuple[str, Holdback | None]:
    """Freeze, end running canaries, and keep `share` of new conversations on v1.0; (final version, holdback).

    No holdback where v1.0 is still in production: there is nothing to compare.
    """
    why = "the demo's closing comparison"
    now = time.time()
    await registry.set_state("freeze", {"frozen": True, "who": WHO, "why": why, "at": now})
    await registry.note(Note(now, POLICY, WHO, "freeze", "everything", {"why": why}))
    for experiment in await registry.experiments(POLICY, running=True):
        await registry.close_experiment(experiment.id, "INCONCLUSIVE", {"why": why}, now=now)
    for candidate in await registry.candidates(POLICY, live=True):
        if candidate.state == "canary":
            with contextlib.suppress(ConflictError):
                await registry.advance(candidate, "expire", who=WHO, reason=why, now=now)
    version, _ = await production_of(registry, POLICY)
    if version.label == "v1.0":
        return version.label, None
    holdback = Holdback(POLICY, "v1.0", share, f"comparison-{secrets.token_hex(4)}", secrets.token_hex(16), now)
    await registry.set_holdback(POLICY, holdback, now=now)
    return version.label, holdback
