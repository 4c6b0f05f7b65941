"""What to mistrust in a run: failed requests, and figures that say more about the generator than about the target."""

from collections.abc import Iterator

from loadtests.bench.results import Results

FULL = 0.97  # a core that is busier than this has no time left to generate load on time
LATE_MS = 1.0


def doubts(results: Results) -> list[str]:
    """One line each."""
    return list(dict.fromkeys([*_closed(results), *_paced(results), *_streamed(results)]))


def _closed(results: Results) -> Iterator[str]:
    for row in results.closed:
        if row.failed:
            yield f"{row.target}, {row.connections} connections: {row.failed} requests failed"
    full = [row for row in results.closed if row.generator_busy > FULL]
    names = dict.fromkeys(f"{row.target} at {row.connections}" for row in full)
    if names:
        yield f"closed loop, the generator's core was full, so the target may be faster: {', '.join(names)}"


def _paced(results: Results) -> Iterator[str]:
    rows = [*results.paced, *results.pairs]
    for row in rows:
        if row.failed:
            yield f"{row.target}, {row.rate:,}/s: {row.failed} requests failed or were not answered"
    late = [row for row in rows if row.generator_busy > FULL or row.late_p99 > LATE_MS]
    names = dict.fromkeys(f"{row.target} at {row.rate:,}/s" for row in late)
    if names:
        worst = max(row.late_p99 for row in late)
        yield f"open loop, the generator was late itself (p99 up to {worst:.1f} ms, counted): {', '.join(names)}"


def _streamed(results: Results) -> Iterator[str]:
    for row in results.streamed:
        if row.whole < row.streams:
            yield f"{row.target}, {row.streams:,} streams: {row.streams - row.whole} did not come to their end"
    full = [row for row in results.streamed if row.generator_busy > FULL]
    names = dict.fromkeys(f"{row.target} at {row.streams:,}" for row in full)
    if names:
        yield f"streams, the generator's core was full: {', '.join(names)}"
