"""The audit trail: what is noted of each write, and the chain that binds the notes to one another. Pure.

1. Whatever the registry stores of a decision leaves a note in the same transaction, with the digest of what it stored.
2. A note carries a link: the BLAKE2b of the link before it and of its own content. Changing, removing or inserting one
   breaks every link that follows.
3. A candidate's measurements change without a note; the note of its next step seals them.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from policies.lifecycle import Event
from policies.registry.rows import encode
from policies.registry.values import Candidate, Experiment, Holdback, Incident, MemorySnapshot, Note, Pointer, Version

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_DIGEST_BYTES = 16
_UNSEALED = {"revision", "resolved_at"}  # what may change while the sealed content stays


def digest(value: "DataclassInstance") -> str:
    """The content of a row, 32 hexadecimal digits; the same before it is stored and after it is read."""
    content = {field.name: getattr(value, field.name) for field in fields(value) if field.name not in _UNSEALED}
    return _hash(_canonical({name: _plain(part) for name, part in content.items()}))


def link(before: str, note: Note) -> str:
    """The link of a note that follows the one whose link is `before` (empty for the first)."""
    return _hash(f"{before}\n{_canonical([note.at, note.policy, note.who, note.action, note.subject, note.detail])}")


def first_broken(notes: Sequence[Note]) -> int | None:
    """Index of the first note whose link does not follow from the one before it; None where all do.

    Notes without a link at the beginning are older than the chain.
    """
    before = ""
    for index, note in enumerate(notes):
        if not note.link and not before:
            continue
        if note.link != link(before, note):
            return index
        before = note.link
    return None


def version_added(version: Version) -> Note:
    """A version was numbered and stored."""
    detail = {"why": version.why, "digest": digest(version)}
    return Note(version.created_at, version.policy, version.who, "version", version.label, detail)


def production_moved(pointer: Pointer) -> Note:
    """Production was pointed at a version."""
    detail = {"revision": pointer.revision, "why": pointer.why}
    return Note(pointer.moved_at, pointer.policy, pointer.who, "production", pointer.version, detail)


def candidate_added(candidate: Candidate) -> Note:
    """A candidate was taken in."""
    lineage = candidate.lineage
    detail = {
        "layer": candidate.layer,
        "base": candidate.base,
        "content_hash": candidate.genome.content_hash,
        "finding": lineage.finding,
        "reason": candidate.reason,
    }
    return Note(candidate.created_at, candidate.policy, lineage.source, "candidate", candidate.id, detail)


def candidate_moved(before: Candidate, after: Candidate, event: Event, who: str, now: float) -> Note:
    """A candidate took a step; the digest seals what its stations have measured."""
    detail = {"from": before.state, "to": after.state, "reason": after.reason, "digest": digest(after)}
    return Note(now, after.policy, who, event, after.id, detail)


def experiment_opened(experiment: Experiment) -> Note:
    """A comparison began."""
    detail = {"candidate": experiment.candidate, "control": experiment.control, "ordinal": experiment.ordinal}
    return Note(
        experiment.started_at,
        experiment.policy,
        "",
        "experiment",
        experiment.id,
        detail | {"digest": digest(experiment)},
    )


def experiment_closed(experiment: Experiment) -> Note:
    """A comparison ended with its verdict."""
    detail = {"verdict": experiment.verdict, "digest": digest(experiment)}
    return Note(experiment.ended_at or 0.0, experiment.policy, "", "verdict", experiment.id, detail)


def holdback_set(policy: str, holdback: Holdback | None, at: float) -> Note:
    """A holdback began or ended. Its salt is kept here: the row is replaced by the next one's."""
    if holdback is None:
        return Note(at, policy, "", "holdback ended", policy)
    detail = {field.name: getattr(holdback, field.name) for field in fields(holdback)}
    return Note(holdback.since, policy, "", "holdback", holdback.version, detail)


def incident_added(incident: Incident) -> Note:
    """Something went wrong."""
    detail = {"kind": incident.kind, "subject": incident.subject, "digest": digest(incident)}
    return Note(incident.at, incident.policy, "", "incident", incident.id, detail)


def incident_resolved(policy: str, incident_id: str, now: float) -> Note:
    """It is over."""
    return Note(now, policy, "", "resolved", incident_id)


def memory_added(snapshot: MemorySnapshot) -> Note:
    """A memory snapshot was stored; its hash is its content."""
    detail = {"parent": snapshot.parent, "entries": snapshot.entries, "why": snapshot.why, "digest": digest(snapshot)}
    return Note(snapshot.at, snapshot.policy, snapshot.who, "memory", snapshot.hash, detail)


def linked(before: str, note: Note) -> Note:
    """The note as it is stored behind the link `before`."""
    return replace(note, link=link(before, note))


def _plain(value: Any) -> Any:
    return json.loads(encode(value))


def _canonical(value: Any) -> str:
    # Once there and back: keys that JSON turns into text sort as text, before storing as after reading.
    return encode(_plain(value))


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).hexdigest()
