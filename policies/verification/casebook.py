"""What one policy's rulings need of the recordings: collected record by record, and decided again at the end."""

from collections.abc import Mapping
from typing import Any

from policies.registry.values import Candidate, Experiment
from policies.verification.breaker import Retrial, Ruling, closest
from policies.verification.facts import PolicyFacts
from policies.verification.promotion import Rerun, Unit
from policies.verification.report import Difference, DiffersError, Report
from policies.verification.rulings import breaker_rulings, promotion_rulings
from policies.verification.stream import FRESH, Frame
from policies.verification.terms import Timeline

_Entered = tuple[Retrial, ...]
_NOTHING: _Entered = ()


class Casebook:
    """`reach`: recordings are whole from that time on (Unix seconds); rulings that began before it are left out."""

    def __init__(self, facts: PolicyFacts, timeline: Timeline, reach: float, report: Report) -> None:
        self._facts = facts
        self._timeline = timeline
        self._report = report
        self._rulings: list[Ruling] = []
        for ruling in breaker_rulings(facts):
            if isinstance(ruling, str):
                report.left_out[ruling] += 1
            elif self._on_record("rollbacks", ruling.started_at, ruling.at, reach):
                self._rulings.append(ruling)
        self._promotions = [
            ruling
            for ruling in promotion_rulings(facts)
            if self._on_record("promotion tests", ruling[0].started_at, ruling[0].ended_at or 0.0, reach)
        ]
        self._retrials: list[Retrial] = []  # of the present writer
        self._all: list[Retrial] = []
        self._odds: list[Any] = []
        self._entering: list[tuple[Retrial, float]] = []
        self._entered: dict[str, tuple[str, _Entered]] = {}  # request id -> unit, what it speaks of
        self._latest: dict[str, tuple[str, _Entered]] = {}  # unit -> arm, what its first turn entered
        self._units: dict[str, Unit] = {}
        spans = [(e.started_at, e.ended_at or 0.0) for e, _, _ in self._promotions]
        self._from, self._until = min((s for s, _ in spans), default=0.0), max((e for _, e in spans), default=0.0)

    def _on_record(self, what: str, start: float, end: float, reach: float) -> bool:
        if start < reach:
            self._report.left_out[f"{what}: their first records have been retired"] += 1
        elif not self._timeline.between(start, end):
            self._report.left_out[f"{what}: their terms are not on record"] += 1
        else:
            return True
        return False

    # -- one record at a time ----------------------------------------------------------------------------------

    def writer(self) -> None:
        """The records of another writer follow."""
        self._retrials = [
            Retrial(ruling, terms)
            for ruling in self._rulings
            for terms in self._timeline.between(ruling.started_at, ruling.at)
        ]
        self._all += self._retrials
        self._odds, self._entering = [], []
        self._entered, self._latest = {}, {}

    def assignment(self, frame: Frame) -> None:
        """A request was assigned."""
        if self._retrials:
            self._enter(frame)
        if frame["first"] and self._from <= frame["at"] <= self._until:
            self._units.setdefault(frame["id"], Unit(frame))

    def _enter(self, frame: Frame) -> None:
        unit, arm, at = frame["unit"], frame["arm"], frame["at"]
        entered = _NOTHING
        if frame["why"] == "draw":
            if frame["arms"] != self._odds:
                self._odds = frame["arms"]
                odds = dict(self._odds)
                shares = [(retrial, retrial.q(odds)) for retrial in self._retrials]
                self._entering = [(retrial, q) for retrial, q in shares if q is not None]
            for retrial, q in self._entering:
                retrial.assigned(unit, at, arm=arm, q=q)
            entered = tuple(retrial for retrial, _ in self._entering)
        before = self._latest.get(unit)
        if not entered and before is not None and before[0] == arm:
            entered = before[1]
        if entered or before is not None:
            self._latest[unit] = (arm, entered)
        if entered:
            self._entered[frame["id"]] = (unit, entered)

    def outcome(self, frame: Frame, asked: Mapping[str, Any]) -> None:
        """An answer has ended."""
        name = frame["id"]
        if asked["why"] in FRESH and name in self._entered:
            unit, entered = self._entered[name]
            for retrial in entered:
                retrial.settled(unit, frame["failure"], frame["at"])
        unit_of = self._units.get(name)
        if unit_of is not None:
            unit_of.settled(frame)

    def feedback(self, frame: Frame) -> None:
        """A user has said what an answer was worth."""
        name, score, at = frame["id"], frame["data"]["score"], frame["at"]
        unit, entered = self._entered.get(name, ("", _NOTHING))
        for retrial in entered:
            retrial.judged(unit, score, at)
        unit_of = self._units.get(name)
        if unit_of is not None:
            unit_of.scores.append((at, score))

    # -- at the end --------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Decide again.

        Raises:
            DiffersError: a ruling that does not come out again.
        """
        for ruling in self._rulings:
            decisions = [retrial.decide() for retrial in self._all if retrial.ruling is ruling]
            differs = closest(ruling, decisions)
            if differs is not None:
                raise DiffersError(ruling.record, *differs)
            self._report.right["rollbacks"] += 1
        units = sorted(self._units.values(), key=lambda unit: (unit.at, unit.id))
        for experiment, candidate, evidence in self._promotions:
            self._promotion(experiment, candidate, evidence, units)

    def _promotion(
        self, experiment: Experiment, candidate: Candidate, evidence: Mapping[str, Any], units: list[Unit]
    ) -> None:
        control = self._facts.content_of(experiment.control)
        at = experiment.ended_at or 0.0
        limit = sum(evidence["units"]) + evidence["excluded"]
        differs: Difference | None = ("control", experiment.control, "none of that label")
        for terms in self._timeline.between(experiment.started_at, at) if control is not None else ():
            rerun = Rerun(experiment, candidate, str(control), terms)
            rerun.run(units, at=at, limit=limit, watch_peak=_needs_peak(experiment))
            differs = rerun.disagreement(evidence)
            if differs is None and _needs_peak(experiment) and rerun.peak < evidence["threshold"]:
                differs = "largest e-value of a promotion", evidence["threshold"], rerun.peak
            if differs is None:
                self._report.right["promotion tests"] += 1
                return
        assert differs is not None
        raise DiffersError(f"experiment {experiment.id}", *differs)


def _needs_peak(experiment: Experiment) -> bool:
    """What was proven stays proven: a promotion that waited for a yes may have a smaller e-value by then."""
    evidence = experiment.evidence
    return experiment.verdict == "PROMOTE" and evidence["e_value"] < evidence.get("threshold", 0.0)
