"""What was measured, and the middle of it."""

import statistics
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from loadtests.bench.closed import Closed
from loadtests.bench.paced import Paced
from loadtests.bench.streams import Streamed
from loadtests.bench.targets import DIRECT

T = TypeVar("T")


@dataclass
class Memory:
    """Resident memory of one target in MB: before any load, the most under load, and some seconds after."""

    idle: float
    load: float | None = None  # None: it was not loaded in this run
    after: float | None = None


@dataclass
class Results:
    """Everything of one run. `notes` say what was left out, and what to mistrust.

    `memory` is that of the processes that gave whole answers, `stream_memory` of those that streamed.
    """

    plan: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    closed: list[Closed] = field(default_factory=list)
    paced: list[Paced] = field(default_factory=list)
    pairs: list[Paced] = field(default_factory=list)
    streamed: list[Streamed] = field(default_factory=list)
    memory: dict[str, Memory] = field(default_factory=dict)
    stream_memory: dict[str, Memory] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Every single measurement."""
        return asdict(self)

    # -- throughput --------------------------------------------------------------------------------------------

    def throughput(self, target: str, connections: int) -> float | None:
        """Requests/s, the median of the rounds; None where it was not measured."""
        return median(row.requests_per_s for row in self._closed(target, connections))

    def cpu_us(self, target: str, connections: int) -> float | None:
        """CPU time of the target per request in microseconds, the median of the rounds."""
        return median(row.cpu_us for row in self._closed(target, connections))

    def speed_ratio(self, target: str, other: str, connections: int) -> float | None:
        """Throughput of one as a multiple of the other's in the same round, the median of the rounds."""
        return _ratio(
            self._closed(target, connections), self._closed(other, connections), lambda row: row.requests_per_s
        )

    def _closed(self, target: str, connections: int) -> list[Closed]:
        return [row for row in self.closed if (row.target, row.connections) == (target, connections)]

    # -- latency -----------------------------------------------------------------------------------------------

    def added_ms(self, target: str, rate: int, quantile: str) -> float | None:
        """What the target adds to the direct answer's quantile in the same round, the median of the rounds."""
        return _difference(self._paced(target, rate), self._paced(DIRECT, rate), lambda row: _value(row, quantile))

    def direct_ms(self, rate: int, quantile: str) -> float | None:
        """The direct answer's quantile itself."""
        return median(_value(row, quantile) for row in self._paced(DIRECT, rate))

    def mirroring_ms(self, first: str, second: str) -> float | None:
        """What the second of the pairs adds to the first's p99, the median of the pairs."""
        with_it = [row for row in self.pairs if row.target == second]
        without = [row for row in self.pairs if row.target == first]
        return _difference(with_it, without, lambda row: row.p99)

    def _paced(self, target: str, rate: int) -> list[Paced]:
        return [row for row in self.paced if (row.target, row.rate) == (target, rate)]

    # -- streams -----------------------------------------------------------------------------------------------

    def stream(self, target: str, streams: int, value: Callable[[Streamed], float]) -> float | None:
        """A value of the streams, the median of the rounds."""
        return median(value(row) for row in self._streamed(target, streams))

    def stream_ratio(self, target: str, other: str, streams: int, value: Callable[[Streamed], float]) -> float | None:
        """A value of one as a multiple of the other's in the same round, the median of the rounds."""
        return _ratio(self._streamed(target, streams), self._streamed(other, streams), value)

    def _streamed(self, target: str, streams: int) -> list[Streamed]:
        return [row for row in self.streamed if (row.target, row.streams) == (target, streams)]


def median(values: Iterable[float]) -> float | None:
    """The median; None of nothing."""
    known = list(values)
    return statistics.median(known) if known else None


def _value(row: Paced, quantile: str) -> float:
    return float(getattr(row, quantile))


def _by_round(rows: Iterable[Any], others: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    """What was measured in the same round."""
    counterparts = {row.round: row for row in others}
    return ((row, counterparts[row.round]) for row in rows if row.round in counterparts)


def _ratio(rows: Iterable[T], others: Iterable[T], value: Callable[[T], float]) -> float | None:
    return median(value(row) / value(other) for row, other in _by_round(rows, others) if value(other))


def _difference(rows: Iterable[T], others: Iterable[T], value: Callable[[T], float]) -> float | None:
    return median(value(row) - value(other) for row, other in _by_round(rows, others))
