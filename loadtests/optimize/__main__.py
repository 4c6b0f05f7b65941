"""`python -m loadtests.optimize`: EvoGate's search beside simpler ones and its own trainers, as tables or JSON."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

from loadtests.optimize.bank_world import FILE, BankWorld, bank
from loadtests.optimize.compare import Run, runs
from loadtests.optimize.optimizers import OPTIMIZERS
from loadtests.optimize.report import tables
from loadtests.optimize.sandbox_world import SandboxWorld
from loadtests.optimize.world import World

WORLDS = ("sandbox", "bank")
FIRST_SEED = 1_000  # seeds below were used while defaults were chosen


def makers(wanted: Sequence[str]) -> dict[str, Callable[[int], World]]:
    """How to make the world of each seed; a world whose data are not there is left out, and said to be."""
    found: dict[str, Callable[[int], World]] = {}
    if "sandbox" in wanted:
        found["sandbox"] = SandboxWorld
    if "bank" in wanted and not FILE.exists():
        _say(f"prompt bank: left out, {FILE} is not there")
    elif "bank" in wanted:
        banks = sorted(bank().items())
        found["bank"] = lambda seed: BankWorld(*banks[seed % len(banks)], seed)
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.optimize", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="worlds, each with a seed of its own")
    parser.add_argument("--calls", type=int, nargs="+", default=[300, 600, 1_200])
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--only", nargs="+", choices=list(OPTIMIZERS), default=list(OPTIMIZERS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="6 seeds, 300 calls: under two minutes, wide intervals")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--json", action="store_true", help="single runs instead of tables")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.calls = 6, [300]
    began = time.monotonic()
    found: list[Run] = []
    for name, make in makers(options.worlds).items():
        for calls in options.calls:
            seeds = range(options.first_seed, options.first_seed + options.seeds)
            found += runs(make, seeds, calls, options.only)
            _say(f"{name}, {calls} calls: {time.monotonic() - began:.0f} s")
    print(json.dumps([asdict(run) for run in found], indent=1) if options.json else tables(found))
    overspent = [run for run in found if run.overshoot]
    for run in overspent:
        _say(f"overspent: {run.optimizer} on {run.world}, seed {run.seed}: {run.overshoot} calls")
    return 1 if any(run.optimizer == "EvoGate search" for run in overspent) else 0


if __name__ == "__main__":
    sys.exit(main())
