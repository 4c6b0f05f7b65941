"""How much is measured: all of it in about a quarter of an hour, or a little of everything in two minutes.

Each part can be run alone; it starts what it measures and nothing else.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from loadtests.bench import closed, paced, streams
from loadtests.bench.streams import Shape

PARTS = {
    "closed": "throughput, closed loop",
    "paced": "added latency at fixed rates",
    "mirror": "what mirroring adds, in pairs",
    "streams": f"{streams.BUSY.streams:,} busy streams",
    "held": f"{streams.HELD.streams:,} streams held open",
}


@dataclass(frozen=True)
class Plan:
    """Lengths in seconds."""

    parts: frozenset[str]
    peers: bool = True
    rounds: int = 3
    warm_s: int = 1
    settle_s: float = 3.0
    closed: Mapping[int, int] = field(default_factory=lambda: closed.SECONDS)
    paced: Mapping[int, float] = field(default_factory=lambda: paced.SECONDS)
    pairs: int = 5
    pair_s: float = 4.0
    busy: Shape = streams.BUSY
    held: Shape = streams.HELD
    stream_rounds: int = 2

    @classmethod
    def of(cls, parts: Collection[str], *, quick: bool, peers: bool) -> "Plan":
        """The whole, or a quick look with the same parts."""
        plan = cls(frozenset(parts), peers=peers)
        if not quick:
            return plan
        return replace(
            plan,
            rounds=1,
            settle_s=1.0,
            closed={1: 1, 32: 1},
            paced={500: 1.0, 1000: 1.0},
            pairs=1,
            pair_s=1.0,
            busy=replace(streams.BUSY, ramp_s=1.0, lasts_s=3.0),
            held=replace(streams.HELD, lasts_s=4.0),
            stream_rounds=1,
        )

    def as_json(self) -> dict[str, Any]:
        """What was asked for, in the order of the parts."""
        return {**asdict(self), "parts": [part for part in PARTS if part in self.parts]}
