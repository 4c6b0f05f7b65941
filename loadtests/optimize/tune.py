"""`python -m loadtests.optimize.tune`: chooses the other optimizers' settings on worlds that report nothing.

One option after the other takes the value with the best mean true score over the budgets, the others as found so far;
the winners stand in `settings.TUNED`. True scores are a help that no user of theirs has.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from loadtests.optimize.compare import runs
from loadtests.optimize.peers import installed
from loadtests.optimize.settings import GRID, SETTINGS, Setting
from loadtests.optimize.world import World
from loadtests.optimize.worlds import WORLDS, makers

SEEDS = range(100, 120)  # below those that report


def best(name: str, make: Callable[[int], World], world: str, budgets: Sequence[int]) -> dict[str, Any]:
    """The options that did best in that world."""
    options = SETTINGS[name].of("")
    for option, values in GRID[name].items():
        scores = {index: _score(name, make, {**options, option: value}, budgets) for index, value in enumerate(values)}
        options[option] = values[max(scores, key=lambda index: scores[index])]
        print(f"{world}, {name}: {option} of {values}: {list(scores.values())}", file=sys.stderr, flush=True)
    return options


def _score(name: str, make: Callable[[int], World], options: Mapping[str, Any], budgets: Sequence[int]) -> float:
    setting = Setting(SETTINGS[name].peer, SETTINGS[name].script, options)
    with installed({name: setting}) as found:
        return round(float(np.mean([run.true for calls in budgets for run in runs(make, SEEDS, calls, found)])), 4)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m loadtests.optimize.tune", description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[300, 600])
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--only", nargs="+", choices=list(GRID), default=list(GRID), metavar="NAME")
    options = parser.parse_args()
    for world, make in makers(options.worlds, reporting=False).items():
        for name in options.only:
            print(json.dumps({world: {name: best(name, make, world, options.calls)}}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
