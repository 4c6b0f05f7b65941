"""Which decisions the registry has on record that the recordings can decide again."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.evidence.returns import tries_of
from policies.factorial import Sides
from policies.registry.values import Candidate, Experiment, Incident
from policies.verification.breaker import Ruling
from policies.verification.facts import PolicyFacts

_BREAKER = frozenset({"TRIP", "SEVERE", "EJECT"})
_SUMS = {"at", "counts", "e_values"}


def breaker_rulings(facts: PolicyFacts) -> Iterator[Ruling | str]:
    """Rollbacks by the breaker; a line of why where one can't be decided again."""
    for incident in facts.incidents:
        if incident.kind not in _BREAKER or "promotion" in incident.evidence or _of_the_evolver(incident):
            continue
        if "e_values" not in incident.evidence:
            yield f"{incident.kind}: the sums of its moment are not on record"
        else:
            yield _ruling(incident, facts) or f"{incident.kind}: its comparison is not on record"


def holdback_rulings(facts: PolicyFacts) -> Iterator[Ruling | str]:
    """What the evolver read in comparisons with a predecessor: ejections, and ends without a verdict."""
    for incident in facts.incidents:
        if not _of_the_evolver(incident):
            continue
        if not incident.evidence.keys() >= _SUMS:
            yield f"{incident.kind}: the sums of its moment are not on record"
        else:
            yield _ruling(incident, facts) or f"{incident.kind}: its comparison is not on record"
    candidates = {candidate.id: candidate for candidate in facts.candidates}
    for experiment in facts.experiments:
        if experiment.verdict == "INCONCLUSIVE" and experiment.evidence.keys() >= _SUMS:
            yield _left(experiment, candidates.get(experiment.candidate), facts) or (
                "comparisons: their predecessor is not on record"
            )


def _of_the_evolver(incident: Incident) -> bool:
    return incident.kind == "EJECT" and "unpinned" not in incident.evidence  # a gateway's says whom it unpinned


def _left(experiment: Experiment, candidate: Candidate | None, facts: PolicyFacts) -> Ruling | None:
    evidence = experiment.evidence
    found = _compared(experiment.id, candidate, evidence, facts)
    if found is None:
        return None
    sides, started_at = found
    name, at = f"experiment {experiment.id}", evidence["at"]
    return Ruling(name, experiment.verdict, experiment.id, sides, started_at, at, tries=0, evidence=evidence)


def _ruling(incident: Incident, facts: PolicyFacts) -> Ruling | None:
    evidence = incident.evidence
    experiment = evidence.get("experiment") or incident.id.partition("-")[2]
    candidate = next((c for c in facts.candidates if c.id == incident.subject), None)
    found = _compared(experiment, candidate, evidence, facts)
    if found is None:
        return None
    sides, started_at = found
    return Ruling(
        record=f"incident {incident.id}",
        kind=incident.kind,
        experiment=experiment,
        sides=sides,
        started_at=started_at,
        at=evidence.get("at", incident.at),
        tries=tries_of(candidate.stations) if candidate is not None and incident.kind != "EJECT" else 0,
        evidence=evidence,
    )


def _compared(
    name: str, candidate: Candidate | None, evidence: Mapping[str, Any], facts: PolicyFacts
) -> tuple[Sides, float] | None:
    """The arms that a comparison held against each other, and since when."""
    held = next((n for n in facts.notes if n.action == "holdback" and n.detail["experiment"] == name), None)
    experiment = next((e for e in facts.experiments if e.id == name), None)
    if held is None:
        sides = facts.sides(candidate, experiment) if candidate is not None and experiment is not None else None
        return (sides, experiment.started_at) if sides is not None and experiment is not None else None
    control = facts.content_of(held.subject)
    subject = evidence.get("subject") or (candidate.genome.content_hash if candidate is not None else None)
    return ((frozenset({control}), frozenset({subject})), held.at) if control and subject else None


def promotion_rulings(facts: PolicyFacts) -> Iterator[tuple[Experiment, Candidate, Mapping[str, Any]]]:
    """Canaries that ended by what the promotion test said: promoted, given up, or taken back for their reward."""
    candidates = {candidate.id: candidate for candidate in facts.candidates}
    for experiment in facts.experiments:
        evidence = experiment.evidence
        measured = evidence.keys() >= {"e_value", "units", "excluded"} and experiment.ended_at is not None
        if measured and experiment.candidate in candidates and "override" not in evidence:
            yield experiment, candidates[experiment.candidate], evidence
