"""One look at the evidence: every channel's wealth and window, a worker's own or the fleet's summed up.

Adding up each writer's latest would bring arrival order back: a writer whose failures settle quickly would be ahead.
So a reader adds only buckets that lie wholly before the watermark, the assignment time of the oldest unit that any
writer still waits for. A writer that has died can't hold the fleet up: the watermark is at most a deadline and
`EXCHANGE_S` behind.

The sums are the same to the last bit whoever makes them and whenever: a writer's buckets are added in their order, as
its own folding does, and the writers' sums exactly (`fsum`), for their order is nobody's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policies.evidence.breaker import Reading, literal_ratio
from policies.evidence.channels import ANSWER, BY_NAME, CHANNELS, LANES
from policies.evidence.ledger import BUCKET_S, FOLDED
from policies.evidence.noharm import RHOS, Counts, Rho, Stakes, Wealth
from policies.evidence.starts import Part, Starts, combined

EXCHANGE_S = 30.0  # how old a live writer's last exchange may be

Rows = Mapping[int, Mapping[str, Any]]  # a writer's `ExperimentEvidence.totals()`
_LANES = frozenset(channel.name for channel in LANES)


@dataclass(frozen=True, slots=True)
class View:
    """Sums by channel; one without any has no failure yet. `threshold` is what the e-values are held against.

    `watermarks`: of the fleet's sums, by lane: units assigned before that time (Unix seconds) are in.
    """

    basis: str  # "alone" or "fleet"
    threshold: float
    totals: dict[str, Wealth]
    windows: dict[str, Counts]
    stakes: dict[str, Stakes]
    watermarks: dict[str, float] = field(default_factory=dict)

    def channel(self, name: str, rho: Rho) -> float:
        """One channel's e-value, at its own rho where that is larger; 1 before its first failure."""
        if name not in self.totals:
            return 1.0
        return self.totals[name].e_value(max(rho, BY_NAME[name].rho), self.stakes[name])

    def e_value(self, rho: Rho) -> float:
        """The channels' e-values, averaged by weight: such an average is one, whatever their dependence."""
        return sum(channel.weight * self.channel(channel.name, rho) for channel in CHANNELS)

    def ratios(self) -> dict[str, float]:
        """Each channel's failure ratio over the window: what the literal rule looks at."""
        return {name: literal_ratio(window) for name, window in self.windows.items()}

    def ratio(self) -> float:
        """The largest of them."""
        return max(self.ratios().values())

    def leading(self) -> str:
        """The channel that says most: of those with failures, by its evidence for "worse than production"."""
        return max(self.totals, key=self._says)

    def _says(self, name: str) -> tuple[bool, float]:
        return any(self.totals[name].counts.failures), BY_NAME[name].weight * self.channel(name, 1)

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
    exchanged = [dict(sorted(rows.items())) for rows in writers if FOLDED in rows]  # without it: not exchanged yet
    for channel in channels:
        told = [rows for rows in exchanged if channel in rows[FOLDED]["starts"]]
        if not told:
            continue  # nobody has seen such a failure
        lane = channel if channel in _LANES else ANSWER.name
        watermark = max(min(rows[FOLDED]["watermark"][lane] for rows in exchanged), now - deadline_s - EXCHANGE_S)
        view.watermarks[lane] = watermark
        window = Counts()
        parts = [Part(Starts.from_dict(rows[FOLDED]["starts"][channel]), Wealth()) for rows in told]
        for rows, part in zip(told, parts, strict=True):
            for bucket, wealth in _settled(rows, channel, watermark):
                part.total.merge(wealth)
                if bucket != FOLDED and bucket + BUCKET_S > now - window_s:
                    window.shift(wealth.counts)
        view.totals[channel], view.windows[channel] = Wealth.of(part.total for part in parts), window
        view.stakes[channel] = combined(parts, watermark)
    return with_units(view)


def with_units(view: View) -> View:
    """Classes keep sums of their failures alone; the units they are a part of are those of all first answers."""
    for counts in (view.windows, {name: total.counts for name, total in view.totals.items()}):
        for name in counts.keys() - _LANES:
            counts[name].units = list(counts[ANSWER.name].units)
    return view


def _settled(rows: Rows, channel: str, watermark: float) -> Iterator[tuple[int, Wealth]]:
    through = rows[FOLDED]["through"][channel]
    for bucket, row in rows.items():
        folded_already = FOLDED < bucket <= through  # left over from an earlier exchange
        if not folded_already and bucket + BUCKET_S <= watermark and channel in row:
            yield bucket, Wealth.from_dict(row[channel])
