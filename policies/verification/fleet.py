"""A decision on the fleet's sums, made again: every writer's records up to that moment, summed behind the watermark.

The watermark is not on record, but what lay behind it is: of the few places where it can have been (buckets of the last
deadline), one must give each lane the e-values on record. Writers are summed in another order than they were then, so
sums may differ in their last digits.
"""

from collections.abc import Mapping, Sequence
from math import isclose
from typing import Any

from policies.evidence import BUCKET_S, CHANNELS, EXCHANGE_S, FOLDED, View, fleet
from policies.evidence.breaker import judge
from policies.evidence.channels import LANES
from policies.evidence.returns import alpha_of
from policies.verification.breaker import Retrial, Ruling, wanted
from policies.verification.report import Difference
from policies.verification.terms import Terms

_ROUNDING = 1e-9

_Rows = dict[int, dict[str, Any]]


def fleet_disagreement(ruling: Ruling, retrials: Sequence[Retrial], terms: Terms) -> Difference | None:
    """The first number that differs; None where the ruling came out again."""
    recorded = ruling.evidence["e_values"]
    rows = [retrial.rows() for retrial in retrials]
    last = int(ruling.at) // BUCKET_S * BUCKET_S
    places = [last - n * BUCKET_S for n in range(int((terms.deadline_s + EXCHANGE_S) // BUCKET_S) + 2)]
    views = [_view(rows, {lane.name: place for lane in LANES}, ruling, terms) for place in places]
    marks = {
        lane.name: next(
            (p for p, view in zip(places, views, strict=True) if _fits(view, lane.name, recorded)), places[0]
        )
        for lane in LANES
    }
    view = _view(rows, marks, ruling, terms)
    for channel, values in view.e_values().items():
        for rho, value in values.items():
            if channel in recorded and not isclose(value, recorded[channel][rho], rel_tol=_ROUNDING):
                return f"evidence.e_values.{channel}.{rho}", recorded[channel][rho], value
    verdict = judge("CLEAR", [view.reading(terms.ratio)], runaway=False)
    return None if verdict in wanted(ruling) else ("verdict", ruling.kind, verdict)


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
