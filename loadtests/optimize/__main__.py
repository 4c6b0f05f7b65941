"""`python -m loadtests.optimize`: EvoGate's search beside other optimizers and its own trainers, as tables or JSON.

Others take part where `python -m loadtests.peers.optimizers` has installed them (EVOGATE_PEERS, or build/peers).
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from loadtests.optimize.compare import Run, runs
from loadtests.optimize.optimizers import OPTIMIZERS
from loadtests.optimize.peers import installed
from loadtests.optimize.report import OURS, tables
from loadtests.optimize.settings import SETTINGS
from loadtests.optimize.world import Optimize
from loadtests.optimize.worlds import WORLDS, makers

NAMES = (*OPTIMIZERS, *SETTINGS)
FIRST_SEED = 1_000  # seeds below were used while defaults were chosen


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.optimize", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="worlds, each with a seed of its own")
    parser.add_argument("--calls", type=int, nargs="+", default=[300, 600])
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="6 seeds, 300 calls: under two minutes, wide intervals")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--json", action="store_true", help="single runs instead of tables")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.calls = 6, [300]
    began = time.monotonic()
    others = {name: setting for name, setting in SETTINGS.items() if name in options.only}
    with installed(others) as there:
        wanted = {name: one for name, one in OPTIMIZERS.items() if name in options.only}
        found = _found(options, wanted | there, began)
    print(json.dumps([asdict(run) for run in found], indent=1) if options.json else tables(found))
    overspent = [run for run in found if run.overshoot]
    for run in overspent:
        _say(f"overspent: {run.optimizer} on {run.world}, seed {run.seed}: {run.overshoot} calls")
    return 1 if any(run.optimizer == OURS for run in overspent) else 0


def _found(options: argparse.Namespace, optimizers: Mapping[str, Optimize], began: float) -> list[Run]:
    found: list[Run] = []
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for name, make in makers(options.worlds).items():
        for calls in options.calls:
            found += runs(make, seeds, calls, optimizers)
            _say(f"{name}, {calls} calls: {time.monotonic() - began:.0f} s")
    return found


if __name__ == "__main__":
    sys.exit(main())
