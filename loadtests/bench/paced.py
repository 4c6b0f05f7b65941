"""Open loop: requests at fixed rates, latencies from the moment for which each was scheduled."""

import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.bench.closed import Bench
from loadtests.bench.machine import Busy, Peak
from loadtests.bench.processes import output_of
from loadtests.bench.targets import Target

SECONDS = {500: 5.0, 1000: 4.0, 2000: 2.5, 5000: 2.5}  # requests a second -> how long: some thousand requests each
WITHIN = 0.8  # of its throughput a target is asked for at most: beyond, a fixed rate only measures the growing line


@dataclass(frozen=True)
class Paced:
    """One target at one rate for a while. Milliseconds."""

    target: str
    round: int
    rate: int
    answered: int
    failed: int
    p50: float
    p99: float
    p999: float
    late_p99: float  # of the generator itself: how late it sent although a connection was free
    generator_busy: float
    resident_mb: float

    def __str__(self) -> str:
        return f"{self.target}, {self.rate:,} requests/s: p50 {self.p50:.2f} ms, p99 {self.p99:.2f} ms"


def generate(bench: Bench, target: Target, rate: float, seconds: float, seed: int) -> dict[str, Any]:
    """Run the generator; its report.

    Raises:
        OperatorError: it failed.
    """
    request = target.write_request(bench.folder)
    command = [sys.executable, "-m", "loadtests.generator.openloop", "--port", str(target.port)]
    options = ["--request", str(request), "--rate", str(rate), "--seconds", str(seconds), "--seed", str(seed)]
    report: dict[str, Any] = json.loads(output_of([*command, *options], bench.cores.other, timeout_s=seconds + 60))
    return report


def measure(bench: Bench, target: Target, rate: int, seconds: float, number: int) -> Paced:
    """Ask it once; the same round brings the same arrivals to every target."""
    with Busy(bench.cores.other) as generator, Peak(target.pid) as peak:
        report = generate(bench, target, rate, seconds, seed=rate + number)
    return Paced(
        target=target.name,
        round=number,
        rate=rate,
        answered=report["answered"],
        failed=report["failed"],
        p50=report["p50"],
        p99=report["p99"],
        p999=report["p999"],
        late_p99=report["late_p99"],
        generator_busy=generator.share,
        resident_mb=peak.mb,
    )


def rounds(
    bench: Bench,
    targets: Iterable[Target],
    *,
    capacity: Mapping[str, float],
    seconds: Mapping[int, float],
    count: int,
) -> Iterable[Paced]:
    """Every target at every rate that is within its `capacity` (requests/s), in turns."""
    every = list(targets)
    for number in range(count):
        for rate, lasts in seconds.items():
            for target in every if number % 2 == 0 else reversed(every):
                if rate <= WITHIN * capacity[target.name]:
                    yield measure(bench, target, rate, lasts, number)


def pairs(bench: Bench, first: Target, second: Target, *, rate: int, seconds: float, count: int) -> Iterable[Paced]:
    """Two targets one right after the other, `count` times, in alternating order."""
    for number in range(count):
        for target in (first, second) if number % 2 == 0 else (second, first):
            yield measure(bench, target, rate, seconds, number)
