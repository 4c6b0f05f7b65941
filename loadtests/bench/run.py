"""One run: start everything, measure in turns, end everything."""

import contextlib
import json
import os
import platform
import time
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from loadtests.bench import closed, evogate, nginx, paced, peers, streams
from loadtests.bench.closed import Bench
from loadtests.bench.field import Field, Say
from loadtests.bench.goals import CONNECTIONS, RATE
from loadtests.bench.plan import Plan
from loadtests.bench.results import Results
from loadtests.bench.targets import ENVOY, EVERYTHING, MIRROR_10, MIRROR_100, Target, streaming_provider

T = TypeVar("T")


def run(plan: Plan, bench: Bench, results: Results, say: Say) -> None:
    """Measure everything that is planned; `results` grows on the way.

    Raises:
        OperatorError: the provider, nginx or EvoGate can't be started, or a load generator fails.
    """
    results.machine = _machine(bench)
    if bench.cores.measured == bench.cores.other:
        results.notes.append("one core only: the load generator competed with what it measured")
    if plan.parts & {"closed", "paced", "mirror"}:
        _whole_answers(plan, bench, results, say)
    if plan.parts & {"streams", "held"}:
        _streams(plan, bench, results, say)


def _whole_answers(plan: Plan, bench: Bench, results: Results, say: Say) -> None:
    with contextlib.ExitStack() as stack:
        field = Field(stack, bench, results, results.memory, say)
        provider = field.start(nginx.provider(bench.folder), bench.cores.other)
        side_by_side = bool(plan.parts & {"closed", "paced"})
        if side_by_side:
            field.start(nginx.proxy(bench.folder, provider.port))
            if plan.peers:
                field.start_peers(provider.port)
        others = list(field.targets)
        everything = field.start_gateway(EVERYTHING, provider.port)
        targets = [*others, evogate.relay(everything), everything]
        if side_by_side:
            targets.append(field.start_gateway(MIRROR_10, provider.port, mirrored=0.1))
        mirrored = field.start_gateway(MIRROR_100, provider.port, mirrored=1.0)
        targets.append(mirrored)
        field.note_idle(plan.settle_s)
        capacity = {target.name: _warm(plan, bench, target) for target in targets}
        if "closed" in plan.parts:
            _keep(closed.rounds(bench, targets, seconds=plan.closed, count=plan.rounds), results.closed, say)
        if "paced" in plan.parts:
            rows = paced.rounds(bench, targets, capacity=capacity, seconds=plan.paced, count=plan.rounds)
            _keep(rows, results.paced, say)
        if "mirror" in plan.parts:
            rows = paced.pairs(bench, everything, mirrored, rate=RATE, seconds=plan.pair_s, count=plan.pairs)
            _keep(rows, results.pairs, say)
        field.note_after(plan.settle_s, [*results.closed, *results.paced, *results.pairs])


def _keep(rows: Iterable[T], kept: list[T], say: Say) -> None:
    """Store what was measured as it comes, so that an interrupted run has it."""
    for row in rows:
        kept.append(row)
        say(str(row))


def _warm(plan: Plan, bench: Bench, target: Target) -> float:
    """Fill caches and connection pools; requests/s, roughly."""
    counted = closed.wrk(bench, target, CONNECTIONS, plan.warm_s)
    return float(counted["requests"] / counted["seconds"])


def _streams(plan: Plan, bench: Bench, results: Results, say: Say) -> None:
    with contextlib.ExitStack() as stack:
        field = Field(stack, bench, results, results.stream_memory, say)
        provider = field.start(streaming_provider(json.dumps(nginx.ANSWER)), bench.cores.other)
        field.start(nginx.proxy(bench.folder, provider.port))
        if plan.peers:
            field.start_peers(provider.port, only=ENVOY)
        others = list(field.targets)
        everything = field.start_gateway(EVERYTHING, provider.port)
        targets = [*others, evogate.relay(everything), everything]
        field.note_idle(plan.settle_s)
        for part, shape, count in (("streams", plan.busy, plan.stream_rounds), ("held", plan.held, 1)):
            if part in plan.parts:
                _keep(streams.rounds(bench, targets, shape, count=count), results.streamed, say)
        field.note_after(plan.settle_s, results.streamed)


def _machine(bench: Bench) -> dict[str, object]:
    """What a reader needs to know of where it ran."""
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), "")
    versions = peers.folder() / "versions.json"
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "cpu": model.partition(":")[2].strip(),
        "cores": os.cpu_count(),
        "measured_core": bench.cores.measured,
        "other_core": bench.cores.other,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "evogate": version("evogate"),
        "compiled": evogate.compiled(),
        "load_at_start": os.getloadavg()[0],
        "peers": json.loads(versions.read_text()) if versions.exists() else {},
    }
