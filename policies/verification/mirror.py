"""Shadows, run again: the same pairs from the recordings, in the order in which the evolver met them.

1. Within one writer pairs come in the order of its records; how the writers took turns is on record.
2. A writer records an answer before what a shadow said to the same request. So a pair whose outcome is said to have
   been missing by its deadline must have none that was there before.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from policies.evidence.mirrored import Answered, Mirrored, MirrorTerms
from policies.registry.values import Candidate
from policies.verification.facts import PolicyFacts
from policies.verification.report import Difference, DiffersError, Report, first_difference
from policies.verification.terms import CHANGE_S, Timeline

RECENT_S = 1800.0  # a shadow answers at most that long after production
_KEPT = {"order", "missing", "since", "terms", "verdict"}


@dataclass(slots=True)
class _Pair:
    id: str
    at: float
    theirs: Answered
    ours: tuple[float, Answered] | None


@dataclass(slots=True)
class _Showing:
    """One candidate's shadow: what is stored of it, and its pairs by writer."""

    candidate: Candidate
    stored: Mapping[str, Any]
    met: set[str] = field(default_factory=set)
    pairs: dict[str, list[_Pair]] = field(default_factory=dict)


class Mirror:
    """One policy's shadows. `reach` says from when on each writer's recordings are whole, in Unix seconds."""

    def __init__(self, facts: PolicyFacts, timeline: Timeline, reach: Mapping[str, float], report: Report) -> None:
        self._facts = facts
        self._timeline = timeline
        self._report = report
        found = (c for c in facts.candidates if "pairs" in c.stations.get("shadow", {}))
        self._showings = {c.id: _Showing(c, c.stations["shadow"]) for c in found if self._on_record(c, reach)}
        self._recent: list[dict[str, tuple[float, Answered]]] = [{}, {}]  # answers, the younger ones first
        self._turned = 0.0
        self._waiting: dict[str, list[_Pair]] = {}

    def _on_record(self, candidate: Candidate, reach: Mapping[str, float]) -> bool:
        shadow = candidate.stations["shadow"]
        if not shadow.keys() >= _KEPT:
            why = "not verifiable: the order of their pairs is not on record"
        elif not {writer for writer, _ in shadow["order"]} <= reach.keys():
            why = "on records of several machines"
        elif shadow["since"] < max(reach.values(), default=0.0):
            why = "their first records have been retired"
        elif not self._terms(shadow):
            why = "their terms are not on record"
        else:
            return True
        self._report.left_out[f"shadows: {why}"] += 1
        return False

    def _terms(self, shadow: Mapping[str, Any]) -> list[MirrorTerms]:
        noted = self._timeline.between(shadow["since"] - CHANGE_S, shadow["at"] + CHANGE_S)
        return [terms.mirror for terms in noted if terms.mirror is not None]

    def outcome(self, frame: Mapping[str, Any]) -> None:
        """An answer of production has ended; the first one of a request counts."""
        if not self._showings:
            return
        name, at = frame["id"], frame["at"]
        young, old = self._recent
        if name in young or name in old:
            return
        if at > self._turned + RECENT_S:
            self._recent, self._turned = [{}, young], at
        answer = self._recent[0][name] = at, _answered(frame)
        for pair in self._waiting.pop(name, ()):
            pair.ours = answer

    def signal(self, writer: str, frame: Mapping[str, Any]) -> None:
        """A shadow has answered."""
        showing = self._showings.get(frame["data"]["candidate"])
        if showing is None or frame["id"] in showing.met:
            return
        showing.met.add(frame["id"])
        young, old = self._recent
        ours = young.get(frame["id"]) or old.get(frame["id"])
        pair = _Pair(frame["id"], frame["at"], _answered(frame["data"]), ours)
        showing.pairs.setdefault(writer, []).append(pair)
        if ours is None:
            self._waiting.setdefault(pair.id, []).append(pair)

    def finish(self) -> None:
        """Run them again.

        Raises:
            DiffersError: one does not come out again.
        """
        for showing in self._showings.values():
            differs = self._disagreement(showing)
            if differs is not None:
                raise DiffersError(f"shadow of candidate {showing.candidate.id}", *differs)
            self._report.right["shadows"] += 1

    def _disagreement(self, showing: _Showing) -> Difference | None:
        stored, terms = showing.stored, MirrorTerms(**showing.stored["terms"])
        noted = self._terms(stored)
        if terms not in noted:
            return first_difference("terms", stored["terms"], asdict(noted[0]))
        entered = self._entered(showing.candidate.id)
        if entered and stored["since"] not in entered:
            return "beginning", stored["since"], entered[-1]
        judged = set(showing.candidate.stations.get("judge", {}).get("samples", ())) - showing.met
        if judged:
            return "pairs that the judge saw", min(judged), "no answer of the shadow on record"
        tests = Mirrored(terms)
        differs = _run(tests, showing)
        if differs is None:
            differs = first_difference("evidence", dict(stored), tests.measured())
        verdict = tests.verdict(stored["at"] - stored["since"])
        return differs or (None if verdict == stored["verdict"] else ("verdict", stored["verdict"], verdict or "none"))

    def _entered(self, candidate: str) -> list[float]:
        steps = (note for note in self._facts.notes if note.subject == candidate)
        return [note.at for note in steps if note.detail.get("to") == "shadow"]


def _run(tests: Mirrored, showing: _Showing) -> Difference | None:
    left = {writer: iter(pairs) for writer, pairs in showing.pairs.items()}
    missing = set(showing.stored["missing"])
    for writer, count in showing.stored["order"]:
        taken = list(islice(left.get(writer, iter(())), count))
        if len(taken) < count:
            return f"pairs recorded by {writer}", count, len(taken)
        for pair in taken:
            lost = pair.id in missing
            if pair.ours is None and not lost:
                return f"production's outcome of {pair.id}", "counted", "none on record"
            if pair.ours is not None and lost and pair.ours[0] < pair.at:
                return f"production's outcome of {pair.id}", "missing", "on record in time"
            tests.add(None if lost or pair.ours is None else pair.ours[1], pair.theirs, pair.at)
    return None


def _answered(frame: Mapping[str, Any]) -> Answered:
    return Answered(
        frame.get("failure"), frame.get("reward"), frame.get("last_byte_ms", 0.0), frame.get("cost_usd", 0.0)
    )
