"""A decision on the fleet's sums, made again: every writer's records up to that moment, summed behind the watermark.

The watermarks are on record, and sums do not depend on the order of the writers: everything comes out to the last bit.
Older records have no watermarks, but what lay behind them is known: of the few places where each can have been (buckets
of the last deadline), one must give its lane the e-values on record; writers were summed in any order then, so sums may
differ in their last digits.
"""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from policies.evidence import BUCKET_S, CHANNELS, EXCHANGE_S, FOLDED, View, fleet
from policies.evidence.breaker import judge
from policies.evidence.channels import LANES
from policies.evidence.returns import alpha_of
from policies.verification.breaker import Retrial, Ruling, wanted
from policies.verification.report import Difference, first_difference
from policies.verification.terms import Terms

_ROUNDING = 1e-9
_LANES = {lane.name for lane in LANES}

_Rows = dict[int, dict[str, Any]]


def fleet_disagreement(ruling: Ruling, retrials: Sequence[Retrial], terms: Terms) -> Difference | None:
    """The first number that differs; None where the ruling came out again."""
    rows = [retrial.rows() for retrial in retrials]
    marks = ruling.evidence.get("watermarks")
    if marks is not None and marks.keys() != _LANES:
        return "evidence.watermarks", marks, sorted(_LANES)
    view = _view(rows, _marks(rows, ruling, terms) if marks is None else marks, ruling, terms)
    differs = _about(ruling, view) if marks is None else first_difference("evidence", ruling.evidence, _told(view))
    verdict = judge("CLEAR", [view.reading(terms.ratio)], runaway=False)
    if differs is None and verdict not in wanted(ruling):
        return "verdict", ruling.kind, verdict
    return differs


def _told(view: View) -> dict[str, Any]:
    """What a decision says of the fleet's sums."""
    return {
        "watermarks": view.watermarks,
        "e_values": view.e_values(),
        "counts": {name: total.counts.to_dict() for name, total in view.totals.items()},
        "window": {name: counts.to_dict() for name, counts in view.windows.items()},
    }


def _about(ruling: Ruling, view: View) -> Difference | None:
    """As an older record has it: but for the last digits."""
    recorded = ruling.evidence["e_values"]
    for channel, values in view.e_values().items():
        for rho, value in values.items():
            if channel in recorded and not isclose(value, recorded[channel][rho], rel_tol=_ROUNDING):
                return f"evidence.e_values.{channel}.{rho}", recorded[channel][rho], value
    return None


def _marks(rows: Sequence[_Rows], ruling: Ruling, terms: Terms) -> dict[str, float]:
    """Where an older record's watermarks can have been."""
    recorded = ruling.evidence["e_values"]
    last = int(ruling.at) // BUCKET_S * BUCKET_S
    places = [last - n * BUCKET_S for n in range(int((terms.deadline_s + EXCHANGE_S) // BUCKET_S) + 2)]
    views = [_view(rows, {lane.name: place for lane in LANES}, ruling, terms) for place in places]
    return {
        lane.name: next(
            (p for p, view in zip(places, views, strict=True) if _fits(view, lane.name, recorded)), places[0]
        )
        for lane in LANES
    }


def _fits(view: View, lane: str, recorded: Mapping[str, Mapping[str, float]]) -> bool:
    return all(
        isclose(view.channel(lane, rho), recorded.get(lane, {}).get(str(rho), 1.0), rel_tol=_ROUNDING) for rho in (1, 2)
    )


def _view(rows: Sequence[_Rows], marks: Mapping[str, float], ruling: Ruling, terms: Terms) -> View:
    """The fleet's view with these watermarks, by lane."""
    return fleet(
        [{**each, FOLDED: {**each[FOLDED], "watermark": marks}} for each in rows],
        [channel.name for channel in CHANNELS],
        now=ruling.at,
        window_s=terms.window_s,
        deadline_s=terms.deadline_s,
        threshold=1.0 / alpha_of(terms.alpha, ruling.tries),
    )
