"""Closed loop: as many requests as a number of connections can carry (wrk, one thread).

What it says is throughput and CPU time per request. Its latencies at full load are no client's at a normal rate.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtests.bench.machine import Busy, Cores, Peak, cpu_seconds
from loadtests.bench.processes import output_of
from loadtests.bench.targets import Target
from policies.errors import OperatorError

LUA = Path(__file__).with_name("closed.lua")
SECONDS = {1: 2, 32: 3, 256: 2}  # connections -> how long


@dataclass(frozen=True)
class Closed:
    """One target under full load for a while."""

    target: str
    round: int
    connections: int
    requests_per_s: float
    mean_ms: float
    cpu_us: float  # of the target, per request
    generator_busy: float  # share of the generator's core that was in use, by whatever runs there
    resident_mb: float
    failed: int  # connections that broke, and answers that were not 2xx

    def __str__(self) -> str:
        return f"{self.target}, {self.connections} connections: {self.requests_per_s:,.0f} requests/s"


@dataclass(frozen=True)
class Bench:
    """What every measurement needs: where files go, and which core is whose."""

    folder: Path
    cores: Cores


def wrk(bench: Bench, target: Target, connections: int, seconds: int) -> dict[str, Any]:
    """Load a target; what wrk counted.

    Raises:
        OperatorError: wrk failed.
    """
    request = target.write_request(bench.folder)
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        "-s",
        str(LUA),
        f"http://127.0.0.1:{target.port}/",
    ]
    said = output_of([*command, "--", str(request)], bench.cores.other, timeout_s=seconds + 30)
    line = next((line for line in said.splitlines() if line.startswith("RESULT ")), None)
    if line is None:
        raise OperatorError(f"wrk has no result for {target.name}: {said.strip()}")
    counted: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return counted


def measure(bench: Bench, target: Target, connections: int, seconds: int, number: int) -> Closed:
    """Load it once."""
    before = cpu_seconds(target.pid)
    with Busy(bench.cores.other) as generator, Peak(target.pid) as peak:
        counted = wrk(bench, target, connections, seconds)
    used = cpu_seconds(target.pid) - before
    return Closed(
        target=target.name,
        round=number,
        connections=connections,
        requests_per_s=(counted["requests"] - counted["not_2xx"]) / counted["seconds"],
        mean_ms=counted["mean_ms"],
        cpu_us=used * 1e6 / max(counted["requests"], 1),
        generator_busy=generator.share,
        resident_mb=peak.mb,
        failed=counted["errors"] + counted["not_2xx"],
    )


def rounds(bench: Bench, targets: Iterable[Target], *, seconds: Mapping[int, int], count: int) -> Iterable[Closed]:
    """Every target at every number of connections, in turns; every other round the other way round."""
    every = list(targets)
    for number in range(count):
        for connections, lasts in seconds.items():
            for target in every if number % 2 == 0 else reversed(every):
                yield measure(bench, target, connections, lasts, number)
