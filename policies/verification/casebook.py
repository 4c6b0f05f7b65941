"""What one policy's rulings need of the recordings: collected record by record, and decided again at the end."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from policies.evidence.returns import alpha_of, tries_of
from policies.registry.values import Candidate, Experiment
from policies.verification.alarms import Alarm, Hearing, alarms
from policies.verification.breaker import Retrial, Ruling, closest
from policies.verification.docket import Docket
from policies.verification.facts import PolicyFacts
from policies.verification.fleet import fleet_disagreement
from policies.verification.holdbacks import reread
from policies.verification.odds import Draws
from policies.verification.promotion import Rerun, Unit
from policies.verification.report import Difference, DiffersError, Report
from policies.verification.rulings import breaker_rulings, holdback_rulings, promotion_rulings
from policies.verification.stream import Frame
from policies.verification.terms import Timeline


class Casebook:
    """`reach`: recordings are whole from that time on (Unix seconds); rulings that began before it are left out."""

    def __init__(self, facts: PolicyFacts, timeline: Timeline, reach: float, report: Report) -> None:
        self._facts = facts
        self._timeline = timeline
        self._report = report
        self._rulings = self._to_decide(breaker_rulings(facts), reach)
        self._holdbacks = self._to_decide(holdback_rulings(facts), reach)
        self._hearings = [Hearing(alarm) for alarm in self._to_raise(alarms(facts), reach)]
        self._promotions = [
            ruling
            for ruling in promotion_rulings(facts)
            if self._on_record("promotion tests", ruling[0].id, ruling[0].started_at, ruling[0].ended_at or 0.0, reach)
        ]
        self._draws = Draws(facts.incidents)
        if self._draws and (facts.elsewhere or reach > 0.0):
            why = "on records of several machines" if facts.elsewhere else "their first records have been retired"
            report.left_out[f"sample-ratio alarms: {why}"] += len(self._draws)
            self._draws = Draws([])
        self._retrials: list[Retrial] = []
        self._units: dict[str, Unit] = {}
        spans = [(e.started_at, e.ended_at or 0.0) for e, _, _ in self._promotions]
        spans += [(ruling.started_at, ruling.at) for ruling in self._holdbacks]
        shown = [hearing.alarm.comparison for hearing in self._hearings]
        spans += [(comparison.started_at, comparison.ended_at or 0.0) for comparison in shown]
        self._from, self._until = min((s for s, _ in spans), default=0.0), max((e for _, e in spans), default=0.0)

    def _to_decide(self, rulings: Iterable[Ruling | str], reach: float) -> list[Ruling]:
        found = []
        for ruling in rulings:
            if isinstance(ruling, str):
                self._report.left_out[ruling] += 1
            elif self._on_record(_title(ruling), ruling.experiment, ruling.started_at, ruling.at, reach):
                found.append(ruling)
        return found

    def _to_raise(self, found: Iterable[Alarm | str], reach: float) -> Iterator[Alarm]:
        for alarm in found:
            if isinstance(alarm, str):
                self._report.left_out[alarm] += 1
            elif self._on_record("alarms", alarm.comparison.id, alarm.comparison.started_at, alarm.at, reach):
                yield alarm

    def _on_record(self, what: str, experiment: str, start: float, end: float, reach: float) -> bool:
        if experiment in self._facts.elsewhere:
            self._report.left_out[f"{what}: on records of several machines"] += 1
        elif start < reach:
            self._report.left_out[f"{what}: their first records have been retired"] += 1
        elif not self._timeline.between(start, end):
            self._report.left_out[f"{what}: their terms are not on record"] += 1
        else:
            return True
        return False

    # -- one record at a time ----------------------------------------------------------------------------------

    def docket(self) -> Docket | None:
        """The retrials from one more writer's records; None where there are none to be had."""
        retrials = [
            Retrial(ruling, terms)
            for ruling in self._rulings
            for terms in self._timeline.between(ruling.started_at, ruling.at)
        ]
        self._retrials += retrials
        return Docket(retrials) if retrials else None

    def assignment(self, frame: Frame) -> None:
        """A request was assigned."""
        if frame["first"] and self._from <= frame["at"] <= self._until:
            self._units.setdefault(frame["id"], Unit(frame))
        for hearing in self._hearings:
            hearing.assignment(frame)
        if self._draws:
            self._draws.assignment(frame)

    def outcome(self, frame: Frame) -> None:
        """An answer has ended."""
        unit = self._units.get(frame["id"])
        if unit is not None:
            unit.settled(frame)
        for hearing in self._hearings:
            hearing.outcome(frame)

    def feedback(self, frame: Frame) -> None:
        """A user has said what an answer was worth."""
        unit = self._units.get(frame["id"])
        if unit is not None:
            unit.scores.append((frame["at"], frame["data"]["score"]))

    # -- at the end --------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Decide again.

        Raises:
            DiffersError: a ruling that does not come out again.
        """
        for ruling in self._rulings:
            differs = self._retry(ruling)
            if differs is not None:
                raise DiffersError(ruling.record, *differs)
            self._report.right[_title(ruling)] += 1
        units = sorted(self._units.values(), key=lambda unit: (unit.at, unit.id))
        for ruling in self._holdbacks:
            self._reread(ruling, units)
        for hearing in self._hearings:
            self._raise(hearing, units)
        for record, differs in self._draws.disagreements():
            if differs is not None:
                raise DiffersError(record, *differs)
            self._report.right["alarms"] += 1
        for experiment, candidate, evidence in self._promotions:
            self._promotion(experiment, candidate, evidence, units)

    def _retry(self, ruling: Ruling) -> Difference | None:
        retrials = [retrial for retrial in self._retrials if retrial.ruling is ruling]
        if ruling.evidence.get("basis") != "fleet":
            return closest(ruling, [retrial.decide() for retrial in retrials])
        found: list[Difference | None] = []
        for terms in self._timeline.between(ruling.started_at, ruling.at):
            writers = [retrial for retrial in retrials if retrial.terms is terms]
            found.append(fleet_disagreement(ruling, writers, terms))
        return None if None in found else found[0]

    def _reread(self, ruling: Ruling, units: list[Unit]) -> None:
        choices = self._timeline.between(ruling.started_at, ruling.at)
        found = [reread(ruling, units, terms) for terms in choices]
        if None not in found:
            assert found[0] is not None
            raise DiffersError(ruling.record, *found[0])
        self._report.right[_title(ruling)] += 1

    def _raise(self, hearing: Hearing, units: list[Unit]) -> None:
        choices = self._timeline.between(hearing.alarm.comparison.started_at, hearing.alarm.at)
        found = [hearing.disagreement(units, terms) for terms in choices]
        if None not in found:
            assert found[0] is not None
            raise DiffersError(hearing.alarm.record, *found[0])
        self._report.right["alarms"] += 1

    def _promotion(
        self, experiment: Experiment, candidate: Candidate, evidence: Mapping[str, Any], units: list[Unit]
    ) -> None:
        sides = self._facts.sides(candidate, experiment)
        at = experiment.ended_at or 0.0
        limit = sum(evidence["units"]) + evidence["excluded"]
        differs: Difference | None = ("control", experiment.control, "none of that label")
        for terms in self._timeline.between(experiment.started_at, at) if sides is not None else ():
            assert sides is not None
            rerun = Rerun(experiment, candidate, sides, terms)
            rerun.run(units, at=at, limit=limit, watch_peak=_needs_peak(experiment))
            differs = rerun.disagreement(evidence)
            if differs is None and _needs_peak(experiment) and rerun.peak < evidence["threshold"]:
                differs = "largest e-value of a promotion", evidence["threshold"], rerun.peak
            if differs is None and experiment.verdict == "ROLL BACK":
                differs = rerun.innocence(alpha_of(terms.alpha, tries_of(candidate.stations)))
            if differs is None:
                self._report.right["promotion tests"] += 1
                return
        assert differs is not None
        raise DiffersError(f"experiment {experiment.id}", *differs)


def _title(ruling: Ruling) -> str:
    return "comparisons without a verdict" if ruling.kind == "INCONCLUSIVE" else "rollbacks"


def _needs_peak(experiment: Experiment) -> bool:
    """What was proven stays proven: a promotion that waited for a yes may have a smaller e-value by then."""
    evidence = experiment.evidence
    return experiment.verdict == "PROMOTE" and evidence["e_value"] < evidence.get("threshold", 0.0)
