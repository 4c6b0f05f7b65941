"""A worker's numbers as values: what `/metrics` shows, and how the numbers of several workers become one.

Labels are bounded: policies, roles, stages, classes and upstreams, never versions, ids or workers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.pipeline.metrics import Histogram

Merge = Literal["sum", "least", "most", "mean"]
Labels = tuple[str, ...]
Number = float | tuple[list[tuple[str, float]], float]  # a histogram: cumulative (le, count), and the sum


@dataclass(slots=True)
class Family:
    """One metric. `merge` says how workers' gauges become one; counters and histograms add up."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    text: str
    labels: Labels = ()
    merge: Merge = "sum"
    rows: dict[Labels, Number] = field(default_factory=dict)


def counter(name: str, text: str, labels: Labels, rows: Mapping[Labels, float]) -> Family:
    """A number that only grows."""
    return Family("counter", name, text, labels, rows=dict(rows))


def gauge(name: str, text: str, rows: Mapping[Labels, float] | float, *, labels: Labels = (), merge: Merge) -> Family:
    """A number as it is now."""
    found: dict[Labels, Number] = {(): float(rows)} if isinstance(rows, int | float) else {**rows}
    return Family("gauge", name, text, labels, merge, found)


def histogram(name: str, text: str, labels: Labels, rows: Mapping[Labels, Histogram]) -> Family:
    """Counts by bucket."""
    return Family(
        "histogram", name, text, labels, rows={key: (found.cumulative(), found.total) for key, found in rows.items()}
    )


def merged(of_workers: Sequence[Iterable[Family]]) -> list[Family]:
    """The families of all workers as those of one, in the order of the first."""
    found: dict[str, list[Family]] = {}
    for families in of_workers:
        for family in families:
            found.setdefault(family.name, []).append(family)
    return [_one(same) for same in found.values()]


def _one(same: list[Family]) -> Family:
    first = same[0]
    rows: dict[Labels, list[Number]] = {}
    for family in same:
        for labels, number in family.rows.items():
            rows.setdefault(labels, []).append(number)
    combined = {labels: _combined(first.merge, numbers) for labels, numbers in rows.items()}
    return Family(first.kind, first.name, first.text, first.labels, first.merge, combined)


def _combined(merge: Merge, numbers: list[Number]) -> Number:
    plain = [number for number in numbers if isinstance(number, int | float)]
    if len(plain) < len(numbers):
        return _added([number for number in numbers if not isinstance(number, int | float)])
    if merge == "least":
        return min(plain)
    if merge == "most":
        return max(plain)
    return sum(plain) / (len(plain) if merge == "mean" else 1)


def _added(parts: list[tuple[list[tuple[str, float]], float]]) -> Number:
    bounds = [bound for bound, _ in parts[0][0]]
    counts = [sum(column) for column in zip(*([count for _, count in buckets] for buckets, _ in parts), strict=True)]
    return list(zip(bounds, counts, strict=True)), sum(total for _, total in parts)


def to_json(families: Iterable[Family]) -> list[list[Any]]:
    """As JSON values, to be sent."""
    return [[f.kind, f.name, f.text, f.labels, f.merge, list(f.rows.items())] for f in families]


def from_json(values: list[list[Any]]) -> list[Family]:
    """As `to_json` wrote them."""
    return [
        Family(kind, name, text, tuple(labels), merge, {tuple(key): _number(value) for key, value in rows})
        for kind, name, text, labels, merge, rows in values
    ]


def _number(value: Any) -> Number:
    if isinstance(value, list):
        buckets, total = value
        return [(str(bound), float(count)) for bound, count in buckets], float(total)
    return float(value)
