"""One analysis: every suspicion is tested, all are judged together, the survivors become findings."""

import hashlib
from collections.abc import Sequence

import numpy as np

from evolver.analysis.cheaper import cheaper_models
from evolver.analysis.drift import degrading
from evolver.analysis.failures import failing_topics, slow_topics
from evolver.analysis.memory_gaps import memory_gaps
from evolver.analysis.shadowed import Shadowed, sufficing
from evolver.analysis.statistics import benjamini_hochberg
from evolver.analysis.topics import topics
from evolver.analysis.values import KINDS, NOT_CHECKED, Suspicion, Thresholds
from evolver.examples import Example
from policies.registry.values import Finding


def analyze(
    examples: Sequence[Example],
    *,
    policy: str,
    now: float,
    rng: np.random.Generator | None = None,
    thresholds: Thresholds | None = None,
    shadows: Sequence[Shadowed] = (),
) -> list[Finding]:
    """Findings of one policy, the most severe first; none where the data can't carry one.

    Evidence holds `n`, `rate`, `interval` (95 %), `terms`, `records` (ids, at most 100), `excerpts` and, for
    failures, `complaints` and `contrast` (ids of requests of the same topic that went well). Examples of other
    policies and those that say nothing about the genome (hang-ups, rate limits) are left out. The expected share
    of false findings is bounded by `thresholds.false_discovery` (Benjamini-Hochberg).

    `shadows` are the same version's pairs. The same records give the same findings in any order, unless an `rng` says
    otherwise.
    """
    limits = thresholds or Thresholds()
    relevant = [one for one in examples if one.policy == policy and (one.failure is None or one.failed)]
    relevant.sort(key=lambda one: (one.at, one.id))
    if len(relevant) < limits.min_units:
        return []
    rng = rng or _seeded(relevant)
    by_model = topics(relevant, by_model=True, rng=rng)
    mixed = topics(relevant, by_model=False, rng=rng)
    paired, settled = sufficing(sorted(shadows, key=lambda pair: pair.id), limits, rng)
    suspicions = [
        *failing_topics(by_model, limits, rng),
        *slow_topics(by_model, limits, rng),
        *degrading(relevant, limits, rng),
        *paired,
        *cheaper_models(mixed, limits, rng, settled),
        *memory_gaps(mixed, limits, rng),
    ]
    kept = benjamini_hochberg([suspicion.p_value for suspicion in suspicions], limits.false_discovery)
    findings = [_finding(policy, now, one) for one, keep in zip(suspicions, kept, strict=True) if keep]
    return sorted(findings, key=lambda finding: (-finding.severity, finding.id))


def _seeded(examples: Sequence[Example]) -> np.random.Generator:
    """By what is analysed, so that an analysis can be repeated."""
    digest = hashlib.blake2b("\x1f".join(one.id for one in examples).encode(), digest_size=8).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def _finding(policy: str, now: float, suspicion: Suspicion) -> Finding:
    content = "\x1f".join((policy, suspicion.kind, *suspicion.subject))
    return Finding(
        id=hashlib.blake2b(content.encode(), digest_size=8).hexdigest(),
        policy=policy,
        kind=suspicion.kind,
        at=now,
        severity=round(min(1.0, max(0.0, suspicion.severity)), 4),
        summary=suspicion.summary,
        recommendation=suspicion.recommendation,
        evidence=suspicion.evidence | {"p_value": suspicion.p_value} | _explained(suspicion),
    )


def _explained(suspicion: Suspicion) -> dict[str, str]:
    """What such a finding means, and what it leaves open."""
    unchecked = NOT_CHECKED.get(suspicion.kind, "")
    if suspicion.evidence.get("method") == "observational":
        unchecked = f"Why one model was chosen and not the other: that may explain the difference. {unchecked}"
    return {"what_happens": KINDS.get(suspicion.kind, ""), "not_checked": unchecked}
