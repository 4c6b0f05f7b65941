"""`python -m loadtests.throughput`: what the gateway's own layers cost, in half a minute.

A small part of `make bench`: nginx as a provider and as a plain proxy, the transport alone, and EvoGate; medians of
several rounds. Read ratios and CPU time per request, which a busy machine disturbs least, before absolutes.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from loadtests.bench import closed, evogate, nginx
from loadtests.bench.closed import Bench, Closed
from loadtests.bench.evogate import Gateway
from loadtests.bench.machine import Cores, free_port
from loadtests.bench.processes import end_on_signals, require
from loadtests.bench.targets import EVERYTHING, NGINX, Launch, Target, serving
from policies.errors import OperatorError

TRANSPORT = "transport alone"


@contextlib.contextmanager
def targets(bench: Bench) -> Iterator[list[Target]]:
    """Everything that takes part, from the bare provider to the whole gateway."""
    with contextlib.ExitStack() as stack:
        folder, cores = bench.folder, bench.cores
        provider = stack.enter_context(serving(nginx.provider(folder), folder, cores.other))
        gateway = Gateway.prepare(EVERYTHING, folder, provider.port)
        launches = (nginx.proxy(folder, provider.port), transport(provider.port), gateway.launch)
        proxy, bare, everything = (stack.enter_context(serving(one, folder, cores.measured)) for one in launches)
        gateway.populate()
        yield [provider, proxy, bare, evogate.relay(everything), everything]


def transport(upstream: int) -> Launch:
    """The data plane's HTTP without a pipeline."""
    port = free_port()
    command = [sys.executable, "-m", "loadtests.relay_app", "--port", str(port)]
    return Launch(Target(TRANSPORT, port), [*command, "--upstream", f"http://127.0.0.1:{upstream}"])


def middle(rows: Sequence[Closed]) -> Closed:
    """The medians of one target's rounds; failures are added up, memory is the most that was seen."""
    return Closed(
        target=rows[0].target,
        round=len(rows),
        connections=rows[0].connections,
        requests_per_s=statistics.median(row.requests_per_s for row in rows),
        mean_ms=statistics.median(row.mean_ms for row in rows),
        cpu_us=statistics.median(row.cpu_us for row in rows),
        generator_busy=statistics.median(row.generator_busy for row in rows),
        resident_mb=max(row.resident_mb for row in rows),
        failed=sum(row.failed for row in rows),
    )


def run(cores: Cores, *, connections: int, seconds: int, rounds: int) -> list[Closed]:
    """Measure every target in every round, in turns; one result each, in the order of the table."""
    with tempfile.TemporaryDirectory(prefix="evogate-bench-") as folder:
        bench = Bench(Path(folder), cores)
        with targets(bench) as every:
            for target in every:  # warm caches and connections
                closed.wrk(bench, target, connections, 1)
            rows = list(closed.rounds(bench, every, seconds={connections: seconds}, count=rounds))
    return [middle([row for row in rows if row.target == target.name]) for target in every]


def table(results: Sequence[Closed]) -> str:
    """What people read."""
    speed = {result.target: result.requests_per_s for result in results}
    columns = f"{'requests/s':>12}{'mean ms':>10}{'CPU us/request':>16}{'RSS MB':>9}{'of nginx proxy':>16}{'failed':>8}"
    lines = [" " * 26 + columns]
    lines += [
        f"{r.target:<26}{r.requests_per_s:>12,.0f}{r.mean_ms:>10.2f}{r.cpu_us:>16.1f}{r.resident_mb:>9.0f}"
        f"{r.requests_per_s / (speed[NGINX] or 1):>15.0%} {r.failed:>8}"
        for r in results
    ]
    return "\n".join(lines)


def main() -> int:
    """Parse the options, measure, print; 0 done, 1 some requests failed, 2 something is missing."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.throughput", description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="length of one measurement (default 4)")
    parser.add_argument("--connections", type=int, default=32, help="clients at once (default 32)")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each target, in turns (default 3)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()
    end_on_signals()
    cores = Cores.shared_out()
    try:
        require("wrk", "nginx", "taskset", "setpriv")
        results = run(cores, connections=options.connections, seconds=options.seconds, rounds=options.rounds)
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 2
    print(json.dumps([asdict(result) for result in results], indent=2) if options.json else table(results))
    if cores.measured == cores.other:
        print("one core only: the load generator competed with what it measured", file=sys.stderr)
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
