"""Rows of a policy's registry, made by hand."""

from typing import Any

from config.policy import Policy
from gateway.pipeline.snapshot import TERMS
from policies.genome import Genome, Lineage
from policies.registry.values import Candidate, Experiment, Incident, Note, Pointer, Version

POLICY = "support"
NOW = 1_760_000_000.0
SECRET = b"k" * 32
SEED = Lineage(source="seed")


def terms_note(at: float = NOW, **changes: Any) -> Note:
    """What a gateway notes of a policy with these settings."""
    settings = Policy.model_validate(changes).model_dump(mode="json", include=TERMS)
    return Note(at, POLICY, "config", "terms", POLICY, settings)


def genome(rule: str) -> Genome:
    return Genome.model_validate({"prompt": {"rubric": [rule]}})


def version(minor: int, *, candidate: str | None = None, at: float = NOW) -> Version:
    evidence = {"candidate": candidate} if candidate else {}
    return Version(POLICY, (1, minor), genome(f"rule {minor}"), SEED, at, "config", "why", evidence)


def pointer(revision: int, label: str, *, who: str = "config", why: str = "why", at: float = NOW) -> Pointer:
    return Pointer(POLICY, label, revision, at, who, why)


def candidate(name: str = "c1", **changes: Any) -> Candidate:
    values: dict[str, Any] = {"state": "promoted", "genome": genome("better")} | changes
    return Candidate(name, POLICY, "prompt", base="v1.0", lineage=SEED, state_since=NOW, created_at=NOW, **values)


def experiment(
    ordinal: int, verdict: Any = "", *, start: float = 0.0, end: float | None = None, **more: Any
) -> Experiment:
    """Times are seconds after `NOW`."""
    values: dict[str, Any] = {
        "id": f"e{ordinal}",
        "candidate": "c1",
        "control": "v1.0",
        "salt": f"salt{ordinal}",
        "started_at": NOW + start,
        "ended_at": None if end is None else NOW + end,
    }
    return Experiment(policy=POLICY, ordinal=ordinal, verdict=verdict, **values | more)


def incident(kind: Any, summary: str) -> Incident:
    return Incident(f"{kind.lower()}-e1", POLICY, kind, NOW, "c1", summary, {})
