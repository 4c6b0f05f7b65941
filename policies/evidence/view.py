"""One look at the evidence: every channel's wealth and window, a worker's own or the fleet's summed up.

Adding up each writer's latest would bring arrival order back: a writer whose failures settle quickly would be ahead.
So a reader adds only buckets that lie wholly before the watermark, the assignment time of the oldest unit that any
writer still waits for. A writer that has died can't hold the fleet up: the watermark is at most a deadline and
`EXCHANGE_S` behind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from policies.evidence.breaker import Reading, literal_ratio
from policies.evidence.ledger import BUCKET_S, FOLDED
from policies.evidence.noharm import RHOS, Counts, Rho, Stakes, Wealth
from policies.evidence.starts import Part, Starts, combined

EXCHANGE_S = 30.0  # how old a live writer's last exchange may be

Rows = Mapping[int, Mapping[str, Any]]  # a writer's `ExperimentEvidence.totals()`


@dataclass(frozen=True, slots=True)
class View:
    """Sums by channel. `threshold` is what the e-values are held against."""

    basis: str  # "alone" or "fleet"
    threshold: float
    totals: dict[str, Wealth]
    windows: dict[str, Counts]
    stakes: dict[str, Stakes]

    def channel(self, name: str, rho: Rho) -> float:
        """One channel's e-value."""
        return self.totals[name].e_value(rho, self.stakes[name])

    def e_value(self, rho: Rho) -> float:
        """The channels' e-values, averaged: an average of e-values is one, whatever their dependence."""
        return sum(self.channel(name, rho) for name in self.totals) / len(self.totals)

    def ratio(self) -> float:
        """The largest failure ratio of any channel over the window."""
        return max(literal_ratio(window) for window in self.windows.values())

    def leading(self) -> str:
        """The channel that says most: of those with failures, by its evidence for "worse than production"."""
        return max(self.totals, key=lambda name: (any(self.totals[name].counts.failures), self.channel(name, 1)))

    def reading(self, limit: float) -> Reading:
        """What the breaker's rules need; `limit` is the literal rule's ratio."""
        return Reading(self.e_value(1), self.e_value(2), self.ratio() > limit, self.threshold)

    def e_values(self) -> dict[str, dict[str, float]]:
        """By channel (and "combined") and rho, JSON-able."""
        channels = {name: {str(rho): self.channel(name, rho) for rho in RHOS} for name in self.totals}
        return {"combined": {str(rho): self.e_value(rho) for rho in RHOS}, **channels}


def fleet(
    writers: Sequence[Rows],
    channels: Sequence[str],
    *,
    now: float,
    window_s: float,
    deadline_s: float,
    threshold: float,
) -> View:
    """Every writer's rows, summed behind the watermark of each channel; at least one must have its `FOLDED` row."""
    view = View("fleet", threshold, {}, {}, {})
    writers = [rows for rows in writers if FOLDED in rows]  # one without it has not exchanged yet
    for channel in channels:
        watermark = max(min(rows[FOLDED]["watermark"][channel] for rows in writers), now - deadline_s - EXCHANGE_S)
        total, window = Wealth(), Counts()
        parts = [Part(Starts.from_dict(rows[FOLDED]["starts"][channel]), Wealth()) for rows in writers]
        for rows, part in zip(writers, parts, strict=True):
            for bucket, wealth in _settled(rows, channel, watermark):
                part.total.merge(wealth)
                if bucket != FOLDED and bucket + BUCKET_S > now - window_s:
                    window.shift(wealth.counts)
            total.merge(part.total)
        view.totals[channel], view.windows[channel] = total, window
        view.stakes[channel] = combined(parts, watermark)
    return view


def _settled(rows: Rows, channel: str, watermark: float) -> Iterator[tuple[int, Wealth]]:
    through = rows[FOLDED]["through"][channel]
    for bucket, row in rows.items():
        folded_already = FOLDED < bucket <= through  # left over from an earlier exchange
        if not folded_already and bucket + BUCKET_S <= watermark and channel in row:
            yield bucket, Wealth.from_dict(row[channel])
