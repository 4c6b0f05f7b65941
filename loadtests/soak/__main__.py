"""`python -m loadtests.soak --minutes 60 --rate 2000`: memory and records under a fixed rate, with retention at work.

Open loop, everything on, one core for the gateway. Every ten seconds its memory is written down, and the outcomes that
were recorded since are counted. Passed: nothing failed, every answer that came whole has its outcome on record, and
resident memory at the end is within 5 % of what it was after a minute. Exit code 1 where that is not so.
"""

import argparse
import contextlib
import csv
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path

from loadtests.bench import nginx
from loadtests.bench.evogate import Gateway
from loadtests.bench.machine import Cores, allow_files, resident_mb
from loadtests.bench.processes import end_on_signals, lives, process, require
from loadtests.bench.targets import EVERYTHING, Target, serving
from loadtests.soak.oracle import Oracle
from loadtests.soak.verdict import Sample, Verdict, after_warming
from policies.errors import OperatorError

EVERY_S = 10.0
READ_EVERY_S = 1.0
OUTPUT = Path("build/soak")


def main() -> int:
    """Run it, print the verdict, write the samples; 0 passed, 1 not, 2 something is missing."""
    options = argparse.ArgumentParser(prog="python -m loadtests.soak", description=__doc__)
    options.add_argument("--minutes", type=float, default=60.0)
    options.add_argument("--rate", type=float, default=2000.0, help="requests a second (default 2000)")
    options.add_argument("--retain-bytes", type=int, default=2_000_000_000, help="of recordings (default 2 GB)")
    options.add_argument("--output", type=Path, default=OUTPUT, help=f"folder of the results (default {OUTPUT})")
    given = options.parse_args()
    end_on_signals()
    allow_files()
    try:
        require("nginx", "taskset", "setpriv")
        with tempfile.TemporaryDirectory(prefix="evogate-soak-") as folder:
            soak = Soak(Path(folder), Cores.shared_out(), given.output)
            verdict = soak.run(seconds=given.minutes * 60.0, rate=given.rate, retain_bytes=given.retain_bytes)
    except OperatorError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: no verdict", file=sys.stderr)
        return 1
    print(verdict)
    return 0 if verdict.passed else 1


class Soak:
    """One run. The samples are written as they come, so that an interrupted run leaves them."""

    def __init__(self, folder: Path, cores: Cores, output: Path) -> None:
        self._folder = folder
        self._cores = cores
        self._output = output
        self._samples: list[Sample] = []
        output.mkdir(parents=True, exist_ok=True)

    def run(self, *, seconds: float, rate: float, retain_bytes: int) -> Verdict:
        """Load the gateway for so long.

        Raises:
            OperatorError: something can't be started, or the generator failed.
        """
        with contextlib.ExitStack() as stack:
            provider = stack.enter_context(serving(nginx.provider(self._folder), self._folder, self._cores.other))
            gateway = Gateway.prepare(EVERYTHING, self._folder, provider.port, retain_bytes=retain_bytes)
            target = stack.enter_context(serving(gateway.launch, self._folder, self._cores.measured))
            gateway.populate()
            oracle = Oracle(gateway.home / "spool")
            oracle.read()
            before = oracle.outcomes
            report = self._load(target, gateway, oracle, rate=rate, seconds=seconds)
        verdict = Verdict(
            answered=round(report["answered"]),
            failed=round(report["failed"]),
            recorded=oracle.outcomes - before,
            missed_segments=oracle.missed + oracle.damaged,
            after_a_minute_mb=after_warming(self._samples).resident_mb,
            at_the_end_mb=self._samples[-1].resident_mb,
        )
        facts = {**asdict(verdict), "lost": verdict.lost, "growth": verdict.growth, "passed": verdict.passed}
        whole = {"rate": rate, "seconds": seconds, "verdict": facts, "load": report}
        (self._output / "soak.json").write_text(json.dumps({**whole, "samples": [asdict(s) for s in self._samples]}))
        return verdict

    def _load(
        self, target: Target, gateway: Gateway, oracle: Oracle, *, rate: float, seconds: float
    ) -> dict[str, float]:
        """Generate, look and count until the generator has ended; its report."""
        command = [sys.executable, "-m", "loadtests.generator.openloop", "--port", str(target.port)]
        request = ["--request", str(target.write_request(self._folder))]
        options = ["--rate", str(rate), "--seconds", str(seconds)]
        log = self._folder / "generator.log"
        with process([*command, *request, *options], self._cores.other, log) as pid:
            for at in _while_it_lives(pid):
                oracle.read()
                if at >= EVERY_S * (len(self._samples) + 1):
                    self._look(at, target, gateway)
        oracle.read()
        said = log.read_text()
        try:
            report: dict[str, float] = json.loads(said)
        except ValueError as error:
            raise OperatorError(f"the load generator failed: {said[-2000:]}") from error
        return report

    def _look(self, at: float, target: Target, gateway: Gateway) -> None:
        """One sample, appended to the file."""
        metrics = _metrics(gateway.admin)
        size = sum(file.stat().st_size for file in (gateway.home / "spool").glob("*/*") if file.is_file())
        sample = Sample(
            at_s=round(at, 1),
            resident_mb=resident_mb(target.pid),
            settled=round(metrics["evogate_requests_total"]),
            lost_frames=round(metrics["evogate_spool_lost_frames_total"]),
            spool_mb=size / 1e6,
        )
        self._samples.append(sample)
        with (self._output / "soak.csv").open("w" if len(self._samples) == 1 else "a", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Sample)])
            if len(self._samples) == 1:
                writer.writeheader()
            writer.writerow(asdict(sample))


def _while_it_lives(pid: int) -> Iterator[float]:
    """Seconds since now, about every second, until the process has ended."""
    began = time.monotonic()
    while lives(pid):
        time.sleep(READ_EVERY_S)
        yield time.monotonic() - began


def _metrics(admin: int) -> dict[str, float]:
    """The gateway's counters by name, added up over their labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found: dict[str, float] = {}
    for line in lines:
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            found[name.partition("{")[0]] = found.get(name.partition("{")[0], 0.0) + float(value)
    return found


if __name__ == "__main__":
    sys.exit(main())
