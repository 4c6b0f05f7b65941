"""The evolver's own reading of a comparison with the predecessor, made again from all writers' units.

It takes units as they stood at their deadline, in the order of assignment, some at a look: how many it had taken by the
moment of its decision stands in the counts on record.
"""

from collections.abc import Iterable

from policies.verification.breaker import Retrial, Ruling, disagreement
from policies.verification.promotion import Unit
from policies.verification.report import Difference
from policies.verification.terms import Terms


def reread(ruling: Ruling, units: Iterable[Unit], terms: Terms) -> Difference | None:
    """The first number that differs; None where the ruling came out again. `units` in the order of assignment."""
    retrial, left = Retrial(ruling, terms), _taken(ruling)
    until = ruling.at - terms.deadline_s
    for unit in units:
        if left <= 0 or unit.at > until:
            break
        if (unit.at, unit.id) > (ruling.started_at, ""):
            left -= _enter(retrial, unit, terms.deadline_s)
    return disagreement(ruling, retrial.decide())


def _taken(ruling: Ruling) -> int:
    """Units of both arms, by the counts on record."""
    return sum(units for units, _ in ruling.evidence["counts"]["answer"].values())


def _enter(retrial: Retrial, unit: Unit, deadline_s: float) -> bool:
    """Whether it is a unit of the comparison, which is then entered with what came of it."""
    q = retrial.q(dict(unit.arms))
    if q is None or not any(unit.arm in side for side in retrial.ruling.sides):
        return False
    retrial.assigned(unit.id, unit.at, arm=unit.arm, q=q)
    if unit.outcome is not None and unit.outcome_at <= unit.at + deadline_s:
        retrial.settled(unit.id, unit.outcome[0], unit.at)
    return True
