"""Candidates put into the registry by hand, as the evolver would have done it."""

from typing import Any

from policies.genome import Genome, Lineage
from policies.registry.operations import start_canary
from policies.registry.values import Candidate, Experiment
from tests.gateway.pipeline.conftest import Running


def genome(rubric: str, **strategy: Any) -> Genome:
    return Genome.model_validate({"prompt": {"rubric": rubric}, "strategy": {"model_key": "large", **strategy}})


async def add(gateway: Running, candidate_id: str, content: Genome, *steps: str) -> Candidate:
    registry = gateway.worker._registry
    now = gateway.core.now()
    lineage = Lineage(source="patch")
    candidate = Candidate(candidate_id, "assistant", "prompt", content, "v1.0", lineage, "proposed", now, now)
    assert await registry.add_candidate(candidate)
    candidate = await registry.candidate(candidate_id)
    for step in steps:
        candidate = await registry.advance(candidate, "pass", who="test", reason=step, now=now)
    return candidate


async def canary(gateway: Running, candidate_id: str, content: Genome) -> tuple[Candidate, Experiment]:
    """A candidate that serves its share, as soon as this returns."""
    candidate = await add(gateway, candidate_id, content)
    found = await start_canary(
        gateway.worker._registry, candidate, who="test", reason="test", counted=True, now=gateway.core.now()
    )
    await gateway.worker.sync()
    return found


async def shadow(gateway: Running, candidate_id: str, content: Genome) -> Candidate:
    """A candidate that is mirrored to."""
    candidate = await add(gateway, candidate_id, content, "gates", "shadow")
    assert candidate.state == "shadow"
    await gateway.worker.sync()
    return candidate
