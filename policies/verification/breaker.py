"""The breaker's decisions, made again by the same reducer from one writer's records.

1. A writer decides from its own sums: its records up to the moment of the decision, in their order, give the same sums
   to the last bit, because what is consumed depends on the units' own times alone (`policies.evidence.settlement`).
2. A unit enters as the gateway let it: by a draw between the two arms, at the odds on record.
3. Later turns speak of the experiment that the conversation's first turn entered, as long as they keep its arm.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.evidence import Decision, ExperimentEvidence
from policies.evidence.returns import alpha_of
from policies.factorial import Sides, propensity
from policies.verification.report import Difference, first_difference
from policies.verification.terms import Terms

BAD_BELOW = 0.5  # a user's score that counts as a failure


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision of the breaker on record: what it was about, when, and on which numbers."""

    record: str
    kind: str  # TRIP, SEVERE or EJECT; INCONCLUSIVE where a version stays beside its predecessor
    experiment: str
    sides: Sides  # the arms without and with what it is about
    started_at: float
    at: float
    tries: int  # of its lineage before it: each halves the error that it may spend
    evidence: Mapping[str, Any]


class Retrial:
    """One writer's part in one ruling."""

    __slots__ = ("_evidence", "ruling", "terms")

    def __init__(self, ruling: Ruling, terms: Terms) -> None:
        self.ruling = ruling
        self.terms = terms
        self._evidence = ExperimentEvidence(
            ruling.experiment,
            alpha=alpha_of(terms.alpha, ruling.tries),
            ratio=terms.ratio,
            window_s=terms.window_s,
            deadline_s=terms.deadline_s,
        )

    def q(self, odds: Mapping[str, float]) -> float | None:
        """The subject's share among the two sides; None where one of them could not be drawn."""
        return propensity(odds, self.ruling.sides)

    def assigned(self, unit: str, at: float, *, arm: str, q: float) -> None:
        """A unit was drawn to `arm`."""
        ruling = self.ruling
        without, subject = ruling.sides
        if ruling.started_at <= at <= ruling.at and (arm in without or arm in subject):
            self._evidence.assigned(unit, at=at, challenger=arm in subject, q=q)

    def settled(self, unit: str, failure: str | None, at: float) -> None:
        """A unit's first answer ended."""
        if at <= self.ruling.at:
            self._evidence.settled(unit, failure, now=at)

    def followed(self, unit: str, failure: str | None, at: float) -> None:
        """A later answer of it ended."""
        if at <= self.ruling.at:
            self._evidence.followed(unit, failure, now=at)

    def judged(self, unit: str, score: float, at: float) -> None:
        """A user said what an answer was worth."""
        if at <= self.ruling.at:
            self._evidence.judged(unit, score < BAD_BELOW, now=at)

    def rows(self) -> dict[int, dict[str, Any]]:
        """This writer's sums at the moment of the ruling, as it exchanges them."""
        self._evidence.advance(self.ruling.at)
        return self._evidence.totals()

    def decide(self) -> Decision:
        """The verdict at the moment of the ruling."""
        self._evidence.advance(self.ruling.at)
        return self._evidence.decision((), self.ruling.evidence.get("writers", 1))


def wanted(ruling: Ruling) -> set[str]:
    """The verdicts that lead to a ruling."""
    return {"EJECT": {"TRIP", "SEVERE"}, "INCONCLUSIVE": {"CLEAR", "SUSPECT"}}.get(ruling.kind, {ruling.kind})


def disagreement(ruling: Ruling, decision: Decision) -> Difference | None:
    """The first number that differs; None where the ruling came out again."""
    differs = first_difference("evidence", ruling.evidence, json.loads(json.dumps(decision.evidence)))
    if differs is not None or decision.verdict in wanted(ruling):
        return differs
    return "verdict", ruling.kind, decision.verdict


def closest(ruling: Ruling, decisions: Sequence[Decision]) -> Difference | None:
    """As `disagreement`, of the writer that comes nearest to the ruling: it does not say whose it was."""
    found = [disagreement(ruling, decision) for decision in decisions]
    if not found or None in found:
        return None if found else ("records", "a decision", "none of the experiment's")
    units = [decision.evidence["counts"] != ruling.evidence.get("counts") for decision in decisions]
    return found[units.index(False)] if False in units else found[0]
