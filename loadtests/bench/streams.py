"""Streams: thousands at once, each with its own pace."""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from loadtests.bench.closed import Bench
from loadtests.bench.machine import Busy, Peak
from loadtests.bench.processes import output_of
from loadtests.bench.targets import Target


@dataclass(frozen=True)
class Shape:
    """How many streams, at which pace, opened within which time, each for how long (seconds)."""

    streams: int
    per_s: float
    ramp_s: float
    lasts_s: float

    @property
    def events(self) -> int:
        """Events of one stream."""
        return round(self.per_s * self.lasts_s)


BUSY = Shape(streams=2000, per_s=10.0, ramp_s=2.0, lasts_s=10.0)
HELD = Shape(streams=5000, per_s=1.0, ramp_s=4.0, lasts_s=12.0)


@dataclass(frozen=True)
class Streamed:
    """One target under streams. Times to the first event in milliseconds, from the scheduled beginning."""

    target: str
    round: int
    streams: int
    per_s: float
    began: int  # streams whose first event came
    most_open: int
    whole: int  # streams that came to their end with `[DONE]`
    events_per_s: float  # while all streams should have been open
    p50: float
    p99: float
    longest: float  # what never began has waited for all of the run
    cpu_share: float  # of the generator's process
    generator_busy: float
    resident_mb: float  # the most while they were open

    def __str__(self) -> str:
        return f"{self.target}, {self.streams:,} streams: {self.events_per_s:,.0f} events/s, p99 {self.p99:.1f} ms"


def generate(bench: Bench, target: Target, shape: Shape) -> dict[str, Any]:
    """Run the generator; its report.

    Raises:
        OperatorError: it failed.
    """
    wanted = {"events": shape.events, "per_s": shape.per_s}
    request = target.write_request(bench.folder, stream=True, bench=wanted)
    command = [sys.executable, "-m", "loadtests.generator.streamload", "--port", str(target.port)]
    options = ["--request", str(request), "--streams", str(shape.streams), "--ramp", str(shape.ramp_s)]
    lasts = ["--lasts", str(shape.lasts_s)]
    limit = shape.ramp_s + shape.lasts_s + 60
    report: dict[str, Any] = json.loads(output_of([*command, *options, *lasts], bench.cores.other, timeout_s=limit))
    return report


def measure(bench: Bench, target: Target, shape: Shape, number: int) -> Streamed:
    """Open them once."""
    with Busy(bench.cores.other) as generator, Peak(target.pid) as peak:
        report = generate(bench, target, shape)
    return Streamed(
        target=target.name,
        round=number,
        streams=shape.streams,
        per_s=shape.per_s,
        began=report["began"],
        most_open=report["most_open"],
        whole=report["whole"],
        events_per_s=report["events_per_s"],
        p50=report["p50"],
        p99=report["p99"],
        longest=report["max"],
        cpu_share=report["cpu_s"] / report["seconds"],
        generator_busy=generator.share,
        resident_mb=peak.mb,
    )


def rounds(bench: Bench, targets: Iterable[Target], shape: Shape, *, count: int) -> Iterable[Streamed]:
    """Every target in turns."""
    every = list(targets)
    for number in range(count):
        for target in every if number % 2 == 0 else reversed(every):
            yield measure(bench, target, shape, number)
