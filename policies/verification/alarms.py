"""The alarms of the detector after a promotion, raised again: its baseline, and then answer by answer.

An alarm takes nothing back; it begins the comparison that decides. The evolver feeds its detector with the first answer
of each new conversation on the production arm, in the order of assignment, each as it stood when it was taken: settled,
or silent past its deadline.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from policies.evidence import Detector, held_to
from policies.outcome import OUTSIDE
from policies.registry.values import Experiment
from policies.verification.facts import PolicyFacts
from policies.verification.promotion import Unit
from policies.verification.report import Difference, first_difference
from policies.verification.terms import Terms

_NEW = frozenset({"draw", "only", "frozen"})
_Place = tuple[float, str]  # (time, id) of an assignment


@dataclass(frozen=True, slots=True)
class Alarm:
    """One on record. `first` and `last`: the place behind which its detector began, and where it was raised.

    `comparison` gave the baseline, by its arm `shown`; conversations are new since the time `since`.
    """

    record: str
    arm: str
    at: float
    since: float
    first: _Place
    last: _Place
    comparison: Experiment
    shown: str
    detector: Mapping[str, Any]


def alarms(facts: PolicyFacts) -> Iterator[Alarm | str]:
    """Those on record; a line of why where one can't be raised again."""
    experiments = {experiment.id: experiment for experiment in facts.experiments}
    for note in facts.notes:
        if note.action != "alarm":
            continue
        told = note.detail
        comparison = experiments.get(told.get("comparison", ""))
        if "first" not in told or comparison is None or comparison.ended_at is None:
            yield "alarms: where their detector began is not on record"
            continue
        (first, after), (last, raised) = told["first"], told["last"]
        yield Alarm(
            record=f"alarm about {note.subject} before the comparison {told['experiment']}",
            arm=told["arm"],
            at=note.at,
            since=told["since"],
            first=(first, after),
            last=(last, raised),
            comparison=comparison,
            shown=told["shown"],
            detector=told["detector"],
        )


class Hearing:
    """What the recordings say of one alarm's time."""

    def __init__(self, alarm: Alarm) -> None:
        self.alarm = alarm
        self._new: list[tuple[float, str, str]] = []  # (time, id, unit) of first requests, whatever their arm
        self._answers: dict[str, tuple[float, str | None] | None] = {}  # of those on the arm: when, and the failure

    def assignment(self, frame: Mapping[str, Any]) -> None:
        """A request was assigned."""
        if frame["why"] in _NEW and self.alarm.since <= frame["at"] <= self.alarm.last[0]:
            self._new.append((frame["at"], frame["id"], frame["unit"]))
            if frame["arm"] == self.alarm.arm:
                self._answers[frame["id"]] = None

    def outcome(self, frame: Mapping[str, Any]) -> None:
        """An answer has ended; the first one counts."""
        if frame["id"] in self._answers and self._answers[frame["id"]] is None:
            self._answers[frame["id"]] = (frame["at"], frame["failure"])

    def disagreement(self, units: Iterable[Unit], terms: Terms) -> Difference | None:
        """The first number that differs; None where the alarm came out again. `units` entered the comparison."""
        detector = self._held_to(units, terms.deadline_s)
        for failed in self._failed(terms.deadline_s):
            detector.add(failed)
        differs = first_difference("detector", dict(self.alarm.detector), detector.to_dict())
        if differs is None and not detector.alarm:
            return "statistic of the detector", f"at least {detector.mean_units}", detector.statistic
        return differs

    def _failed(self, deadline_s: float) -> Iterator[bool]:
        met: set[str] = set()
        for at, name, unit in sorted(self._new):
            new = unit not in met
            met.add(unit)
            if new and name in self._answers and self.alarm.first < (at, name) <= self.alarm.last:
                answer = self._answers[name]
                silent = answer is None or answer[0] > at + deadline_s
                yield silent or (answer is not None and answer[1] is not None and answer[1] not in OUTSIDE)

    def _held_to(self, units: Iterable[Unit], deadline_s: float) -> Detector:
        """A fresh one, by what the comparison showed."""
        comparison = self.alarm.comparison
        until = (comparison.ended_at or 0.0) - deadline_s
        entered = [unit for unit in units if comparison.started_at <= unit.at <= until]
        ours = [unit for unit in entered if unit.arm == self.alarm.shown]
        failures = sum(unit.failed(deadline_s) for unit in ours)
        return held_to(failures, len(ours), len(entered), until - comparison.started_at)
