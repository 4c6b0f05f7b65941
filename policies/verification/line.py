"""The line: each step that a candidate took by itself follows from what its stations measured, and none is missing.

1. Steps follow one another: each begins where the one before it ended, and the candidate stands where the last one did.
2. The evolver's steps out of `proposed`, `gated` and `shadow` rest on gates, shadow and judge. An operator's word needs
   no reason; neither does a candidate that ended because production moved on.
3. A step that rests on what an older version did not keep is counted as not verifiable.
"""

from bisect import bisect_right
from collections.abc import Sequence

from policies.registry.values import Candidate, Note
from policies.verification.facts import PolicyFacts
from policies.verification.measured import gates_again, judged_again
from policies.verification.report import DiffersError, Report

ROUND_S = 600.0  # a round of the evolver's takes no longer: its steps have the time at which it began
_STEP = {"from", "to", "digest"}


def check_line(facts: PolicyFacts, report: Report) -> None:
    """Check one policy's candidates.

    Raises:
        DiffersError: a station's result, or a step, does not follow from what is on record.
    """
    for candidate in facts.candidates:
        steps = [n for n in facts.notes if n.subject == candidate.id and n.detail.keys() >= _STEP]
        _follow(candidate, steps)
        _Line(candidate, facts, report).check(steps)


def _follow(candidate: Candidate, steps: Sequence[Note]) -> None:
    states = [step.detail["to"] for step in steps]
    for before, step in zip(states, steps[1:], strict=False):
        if step.detail["from"] != before:
            raise DiffersError(f"candidate {candidate.id}", "state before a step", step.detail["from"], before)
    if states and candidate.state != states[-1]:
        raise DiffersError(f"candidate {candidate.id}", "state", candidate.state, states[-1])


class _Line:
    """One candidate's."""

    def __init__(self, candidate: Candidate, facts: PolicyFacts, report: Report) -> None:
        self._candidate = candidate
        self._facts = facts
        self._report = report
        self._gates = gates_again(candidate, report)
        self._judged = judged_again(candidate, report)

    def check(self, steps: Sequence[Note]) -> None:
        for step in steps:
            if step.who != "evolver" or step.detail["from"] not in {"proposed", "gated", "shadow"}:
                continue
            if step.action == "expire" and self._moved_on(step.at):
                continue
            wanted = self._from_shadow() if step.detail["from"] == "shadow" else self._from_gates(step)
            if wanted is None:
                self._report.left_out["steps of candidates: not verifiable: their reasons are not on record"] += 1
            elif wanted != step.action and not (wanted == "" and step.action == "expire"):
                what = f"step from {step.detail['from']}"
                raise DiffersError(f"candidate {self._candidate.id}", what, step.action, wanted or "none")
            else:
                self._report.right["steps of candidates"] += 1

    def _moved_on(self, at: float) -> bool:
        """Whether production had left the candidate's base by then, or during the round that began then."""
        moves, times = self._facts.pointers, [move.moved_at for move in self._facts.pointers]
        seen = moves[max(bisect_right(times, at) - 1, 0) : bisect_right(times, at + ROUND_S)]
        return any(move.version != self._candidate.base for move in seen)

    def _from_gates(self, step: Note) -> str | None:
        """What the gates say: `pass` or `fail`."""
        if not self._gates:
            return None
        if step.action == "fail":
            return "pass" if all(self._gates.values()) else "fail"
        needed = self._needed() | ({"regression", *self._gates} if step.detail["from"] == "gated" else set())
        return "pass" if all(self._gates.get(name, False) for name in needed) else "fail"

    def _needed(self) -> set[str]:
        base = next((v.genome for v in self._facts.versions if v.label == self._candidate.base), None)
        own = self._candidate.genome.memory.snapshot
        return {"scope", "syntax"} | ({"memory"} if base is not None and base.memory.snapshot != own else set())

    def _from_shadow(self) -> str | None:
        """What shadow and judge say; "" where they would go on."""
        shadow, judge = (self._candidate.stations.get(name, {}) for name in ("shadow", "judge"))
        verdict = shadow.get("verdict")
        if verdict is None or (verdict == "pass" and judge.get("scores") and self._judged is None):
            return None
        if verdict != "pass":
            return str(verdict)
        if judge.get("required") is False:
            return "pass"
        return self._judged or ""
