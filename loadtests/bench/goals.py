"""What the gateway is meant to reach, as ratios and differences within one run; a miss is shown as a miss."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from loadtests.bench.results import Results
from loadtests.bench.streams import BUSY, HELD
from loadtests.bench.targets import ENVOY, EVERYTHING, LITELLM, MIRROR_100, PORTKEY, RELAY, TENSORZERO

CONNECTIONS, RATE = 32, 1000  # at which the goals are set


@dataclass(frozen=True)
class Goal:
    """One of them, and what was measured; None where its measurements are missing from the run."""

    name: str
    bound: float
    kind: Literal["at least", "at most"]
    unit: str
    measured: float | None

    @property
    def verdict(self) -> str:
        """`reached`, `missed` or `not measured`."""
        if self.measured is None:
            return "not measured"
        reached = self.measured >= self.bound if self.kind == "at least" else self.measured <= self.bound
        return "reached" if reached else "missed"

    def as_json(self) -> dict[str, Any]:
        """All fields and the verdict."""
        return {**asdict(self), "verdict": self.verdict}


def goals(results: Results) -> list[Goal]:
    """All of them, in the order of the report."""
    return [*_throughput(results), *_latency(results), *_streams(results), _mirroring(results)]


def _throughput(results: Results) -> Iterator[Goal]:
    for other, bound in ((ENVOY, 1.0), (TENSORZERO, 4.0), (PORTKEY, 25.0), (LITELLM, 150.0)):
        measured = results.speed_ratio(EVERYTHING, other, CONNECTIONS)
        yield Goal(f"throughput with everything on, of {other}", bound, "at least", "x", measured)
    share = results.speed_ratio(EVERYTHING, RELAY, CONNECTIONS)
    cost = (1.0 - share) * 100.0 if share is not None else None
    yield Goal("what everything on costs, of the plain relay's throughput", 35.0, "at most", "%", cost)


def _latency(results: Results) -> Iterator[Goal]:
    for quantile, bound in (("p50", 0.15), ("p99", 0.5)):
        measured = results.added_ms(EVERYTHING, RATE, quantile)
        yield Goal(f"added {quantile} at {RATE:,} requests/s", bound, "at most", "ms", measured)


def _streams(results: Results) -> Iterator[Goal]:
    what = f"{BUSY.streams:,} streams of {BUSY.per_s:.0f} events/s, of {ENVOY}"
    many = BUSY.streams
    compare: Callable[..., float | None] = results.stream_ratio
    events = compare(EVERYTHING, ENVOY, many, lambda row: row.events_per_s)
    yield Goal(f"events/s (to 1 %), {what}", 1.0, "at least", "x", round(events, 2) if events is not None else None)
    yield Goal(
        f"p99 to the first event, {what}", 1.0, "at most", "x", compare(EVERYTHING, ENVOY, many, lambda r: r.p99)
    )
    memory = compare(EVERYTHING, ENVOY, many, lambda row: row.resident_mb)
    yield Goal(f"resident memory, {what}", 1 / 3, "at most", "x", memory)
    held = results.stream(EVERYTHING, HELD.streams, lambda row: 100.0 * min(row.whole, row.most_open) / row.streams)
    yield Goal(f"{HELD.streams:,} streams held open at {HELD.per_s:.0f} event/s", 100.0, "at least", "%", held)


def _mirroring(results: Results) -> Goal:
    added = results.mirroring_ms(EVERYTHING, MIRROR_100)
    return Goal(f"mirroring at 100 % adds to the primary's p99 at {RATE:,} requests/s", 0.3, "at most", "ms", added)
