"""The tables, in Markdown, ready for a README."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from loadtests.bench.doubts import doubts
from loadtests.bench.goals import Goal, goals
from loadtests.bench.results import Memory, Results
from loadtests.bench.streams import Streamed
from loadtests.bench.targets import DIRECT

NONE = "-"


def markdown(results: Results) -> str:
    """Everything: goals first, then what they come from."""
    parts = [
        machine_line(results.machine),
        section("Goals", goals_table(goals(results))),
        section("Throughput, closed loop (requests/s)", closed_table(results)),
        section("Added latency, open loop (ms: p50 / p99 / p99.9)", paced_table(results)),
        section("Streams", streams_table(results)),
        section("Resident memory, whole answers (MB)", memory_table(results.memory)),
        section("Resident memory, streams (MB)", memory_table(results.stream_memory)),
        section("Notes", "\n".join(f"* {note}" for note in [*results.notes, *doubts(results)])),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def machine_line(machine: Mapping[str, Any]) -> str:
    """Where and when it ran, and beside which versions."""
    if not machine:
        return ""
    beside = ", ".join(sorted(machine["peers"].values())) or "none"
    where = f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, Python {machine['python']}"
    build = f"EvoGate {machine['evogate']}, {'compiled' if machine['compiled'] else 'from source'}"
    return f"{machine['at']}; {where}; {build}; other gateways: {beside}."


def section(title: str, body: str) -> str:
    """A titled part; nothing where there is nothing to say."""
    return f"### {title}\n\n{body}" if body else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown; nothing without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", "| --- " * len(head) + "|", *lines]) if lines else ""


def goals_table(found: Iterable[Goal]) -> str:
    """Goals beside what was measured."""
    rows = [
        (goal.name, f"{goal.kind} {goal.bound:.3g} {goal.unit}", _shown(goal.measured, goal.unit), goal.verdict)
        for goal in found
    ]
    return table(("goal", "wanted", "measured", ""), rows)


def closed_table(results: Results) -> str:
    """Throughput at each number of connections, and CPU time per request at the middle one."""
    connections = list(dict.fromkeys(row.connections for row in results.closed))
    if not connections:
        return ""
    at = connections[len(connections) // 2]
    rows = [
        (
            name,
            *(_whole(results.throughput(name, many)) for many in connections),
            _whole(results.cpu_us(name, at)),
        )
        for name in _names(row.target for row in results.closed)
    ]
    return table(("connections", *map(str, connections), f"CPU us a request at {at}"), rows)


def paced_table(results: Results) -> str:
    """Added latency at each rate; the direct answer's own in the first line."""
    rates = list(dict.fromkeys(row.rate for row in results.paced))
    rows = []
    for name in _names(row.target for row in results.paced):
        look = results.direct_ms if name == DIRECT else None
        cells = []
        for rate in rates:
            values = [look(rate, q) if look else results.added_ms(name, rate, q) for q in ("p50", "p99", "p999")]
            cells.append(" / ".join(f"{value:.2f}" for value in values if value is not None) or NONE)
        rows.append((f"{name} (not added, its own)" if look else name, *cells))
    return table(("", *(f"{rate:,}/s" for rate in rates)), rows)


def streams_table(results: Results) -> str:
    """Each shape of streams by target."""
    rows = []
    for streams, per_s in dict.fromkeys((row.streams, row.per_s) for row in results.streamed):
        base = results.stream(DIRECT, streams, lambda row: row.p99) or 0.0
        for name in _names(row.target for row in results.streamed if row.streams == streams):
            looks: tuple[Callable[[Streamed], float], ...] = (lambda r: r.p50, lambda r: r.p99, lambda r: r.longest)
            first = [results.stream(name, streams, look) for look in looks]
            added = (first[1] or 0.0) - base if name != DIRECT else None
            rows.append((
                f"{streams:,} x {per_s:.0f}/s, {name}",
                _whole(results.stream(name, streams, lambda r: r.events_per_s)),
                " / ".join(f"{value:.1f}" for value in first if value is not None),
                f"{added:.1f}" if added is not None else NONE,
                _whole(results.stream(name, streams, lambda r: r.most_open)),
                _whole(results.stream(name, streams, lambda r: r.whole)),
                _whole(results.stream(name, streams, lambda r: r.resident_mb)) if name != DIRECT else NONE,
            ))  # fmt: skip
    head = (
        "",
        "events/s",
        "first event ms p50 / p99 / longest",
        "added p99 ms",
        "open at once",
        "whole",
        "resident MB",
    )
    return table(head, rows)


def memory_table(measured: Mapping[str, Memory]) -> str:
    """Idle, under load, after."""
    rows = [(name, *map(_whole, (memory.idle, memory.load, memory.after))) for name, memory in measured.items()]
    return table(("", "idle", "most under load", "after"), rows)


def _names(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _whole(value: float | None) -> str:
    return f"{value:,.0f}" if value is not None else NONE


def _shown(value: float | None, unit: str) -> str:
    return f"{value:.3g} {unit}" if value is not None else NONE
