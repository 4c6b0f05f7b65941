"""The trail: its chain, and whether each row of the registry still is what its note has sealed."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING

from policies.lifecycle import ENDED
from policies.registry.trail import digest, first_broken
from policies.registry.values import Note
from policies.verification.facts import PolicyFacts
from policies.verification.report import DiffersError, Report

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_KINDS = {"version": "version", "experiment": "experiment", "verdict": "experiment", "incident": "incident"}
_Key = tuple[str, str, str]  # kind, policy, id
_Row = tuple[_Key, float, "DataclassInstance"]  # its key, when it was stored, the row


def check_chain(notes: Sequence[Note], report: Report) -> None:
    """Check the links from note to note.

    Raises:
        DiffersError: one was changed, removed or added.
    """
    broken = first_broken(notes)
    if broken is not None:
        note = notes[broken]
        what = f"note {broken + 1} of the trail ({note.action} of {note.subject or note.policy})"
        raise DiffersError(what, "link", note.link or "none", "one that follows from the note before it")
    report.right["notes of the trail"] += sum(bool(note.link) for note in notes)
    report.left_out["notes: older than the chain"] += sum(not note.link for note in notes)


def check_seals(facts: PolicyFacts, since: float, report: Report) -> None:
    """Check one policy's rows that were stored after the trail began, at `since`.

    Raises:
        DiffersError: a row was changed, removed or added.
    """
    sealed = dict(_sealed(facts))
    rows = {key: (at, row) for key, at, row in _rows(facts)}
    for key in sealed.keys() - rows.keys():
        raise DiffersError(_name(key), "row", "a note of it", "none in the registry")
    for key, (at, row) in rows.items():
        if key in sealed and sealed[key] != digest(row):
            raise DiffersError(_name(key), "content", sealed[key], digest(row))
        if key in sealed:
            report.right["sealed rows"] += 1
        elif at >= since and key[0] != "candidate":
            raise DiffersError(_name(key), "row", "in the registry", "no note of it")
        else:
            report.left_out["rows: older than the trail, or candidates on their way"] += 1
    _check_moves(facts, since)


def _sealed(facts: PolicyFacts) -> Iterator[tuple[_Key, str]]:
    """The last digest of each row; a candidate on its way is not sealed."""
    ended = {candidate.id for candidate in facts.candidates if candidate.state in ENDED}
    known = {candidate.id for candidate in facts.candidates}
    for note in facts.notes:
        if "digest" not in note.detail:
            continue
        kind = _KINDS.get(note.action, "candidate")
        if kind != "candidate" or note.subject in ended or note.subject not in known:
            yield (kind, facts.name, note.subject), note.detail["digest"]


def _rows(facts: PolicyFacts) -> Iterator[_Row]:
    name = facts.name
    for version in facts.versions:
        yield ("version", name, version.label), version.created_at, version
    for experiment in facts.experiments:
        yield ("experiment", name, experiment.id), experiment.started_at, experiment
    for incident in facts.incidents:
        yield ("incident", name, incident.id), incident.at, incident
    for candidate in facts.candidates:
        yield ("candidate", name, candidate.id), candidate.created_at, candidate


def _check_moves(facts: PolicyFacts, since: float) -> None:
    noted = {note.detail["revision"]: note for note in facts.notes if note.action == "production"}
    for pointer in facts.pointers:
        note = noted.pop(pointer.revision, None)
        name = f"move {pointer.revision} of production of '{facts.name}'"
        if note is None and pointer.moved_at >= since:
            raise DiffersError(name, "row", "in the registry", "no note of it")
        if note is not None:
            told = (note.subject, note.at, note.who, note.detail["why"])
            found = tuple(getattr(pointer, field.name) for field in fields(pointer) if field.name in _MOVE)
            if told != found:
                raise DiffersError(name, "content", told, found)
    for revision in noted:
        raise DiffersError(f"move {revision} of production of '{facts.name}'", "row", "a note of it", "none")


_MOVE = {"version", "moved_at", "who", "why"}


def _name(key: _Key) -> str:
    kind, policy, name = key
    return f"{kind} {name} of '{policy}'"
