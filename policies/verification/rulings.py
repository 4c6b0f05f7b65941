"""Which decisions the registry has on record that the recordings can decide again."""

from collections.abc import Iterator, Mapping
from typing import Any

from policies.evidence.returns import tries_of
from policies.registry.values import Candidate, Experiment, Incident
from policies.verification.breaker import Ruling
from policies.verification.facts import PolicyFacts

_BREAKER = frozenset({"TRIP", "SEVERE", "EJECT"})


def breaker_rulings(facts: PolicyFacts) -> Iterator[Ruling | str]:
    """Rollbacks by the breaker; a line of why where one can't be decided again."""
    for incident in facts.incidents:
        if incident.kind not in _BREAKER or "promotion" in incident.evidence:
            continue
        if "e_values" not in incident.evidence:
            yield f"{incident.kind}: the sums of its moment are not on record"
        elif incident.kind == "EJECT" and "subject" not in incident.evidence:
            yield f"{incident.kind}: decided by the evolver, on its own reading of a holdback"
        else:
            yield _ruling(incident, facts) or f"{incident.kind}: its comparison is not on record"


def _ruling(incident: Incident, facts: PolicyFacts) -> Ruling | None:
    evidence = incident.evidence
    experiment = evidence.get("experiment") or incident.id.partition("-")[2]
    compared = _control(experiment, facts)
    candidate = next((c for c in facts.candidates if c.id == incident.subject), None)
    subject = evidence.get("subject") or (candidate.genome.content_hash if candidate is not None else None)
    if compared is None or compared[0] is None or subject is None:
        return None
    return Ruling(
        record=f"incident {incident.id}",
        kind=incident.kind,
        experiment=experiment,
        subject=subject,
        control=compared[0],
        started_at=compared[1],
        at=evidence.get("at", incident.at),
        tries=tries_of(candidate.stations) if candidate is not None and incident.kind != "EJECT" else 0,
        evidence=evidence,
    )


def _control(experiment: str, facts: PolicyFacts) -> tuple[str | None, float] | None:
    """The content that the subject was compared with, and since when."""
    for note in facts.notes:
        if note.action == "holdback" and note.detail["experiment"] == experiment:
            return facts.content_of(note.subject), note.at
    found = next((e for e in facts.experiments if e.id == experiment), None)
    return (facts.content_of(found.control), found.started_at) if found is not None else None


def promotion_rulings(facts: PolicyFacts) -> Iterator[tuple[Experiment, Candidate, Mapping[str, Any]]]:
    """Canaries that ended by what the promotion test said: promoted, given up, or taken back for their reward."""
    candidates = {candidate.id: candidate for candidate in facts.candidates}
    for experiment in facts.experiments:
        evidence = experiment.evidence
        measured = evidence.keys() >= {"e_value", "units", "excluded"} and experiment.ended_at is not None
        if measured and experiment.candidate in candidates and "override" not in evidence:
            yield experiment, candidates[experiment.candidate], evidence
