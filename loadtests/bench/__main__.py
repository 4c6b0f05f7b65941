"""`make bench` (`python -m loadtests.bench`): what the gateway costs, beside other gateways, on one machine.

One core for what is measured; the load generator and the provider that answers have another. Targets take turns, for
several rounds; ratios are taken within a round, and their medians are printed. Everything listens on loopback, and ends
with the run.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from loadtests.bench.closed import Bench
from loadtests.bench.doubts import doubts
from loadtests.bench.goals import goals
from loadtests.bench.machine import Cores, allow_files
from loadtests.bench.plan import PARTS, Plan
from loadtests.bench.processes import end_on_signals, require
from loadtests.bench.report import markdown
from loadtests.bench.results import Results
from loadtests.bench.run import run
from policies.errors import OperatorError

OUTPUT = Path("build/bench")


def main() -> int:
    """Measure, print, write; 0 done, 1 interrupted, 2 something is missing."""
    parts = "; ".join(f"{name}: {what}" for name, what in PARTS.items())
    options = argparse.ArgumentParser(prog="python -m loadtests.bench", description=__doc__)
    options.add_argument("--quick", action="store_true", help="a fraction of the time: whether it works, not how fast")
    options.add_argument("--only", default=",".join(PARTS), help=f"parts, with commas between them. {parts}")
    options.add_argument("--no-peers", action="store_true", help="leave other gateways out")
    options.add_argument("--output", type=Path, default=OUTPUT, help=f"folder of the results (default {OUTPUT})")
    given = options.parse_args()
    wanted = set(given.only.split(","))
    if unknown := wanted - set(PARTS):
        options.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    plan = Plan.of(wanted, quick=given.quick, peers=not given.no_peers)
    end_on_signals()
    allow_files()
    results = Results(plan=plan.as_json())
    if given.quick:
        results.notes.append("a quick run: it shows that everything works, not how fast it is")
    code = 0
    try:
        require("wrk", "nginx", "taskset", "setpriv")
        with tempfile.TemporaryDirectory(prefix="evogate-bench-") as folder:
            run(plan, Bench(Path(folder), Cores.shared_out()), results, lambda line: print(line, file=sys.stderr))
    except OperatorError as error:
        print(error, file=sys.stderr)
        code = 2
    except KeyboardInterrupt:
        results.notes.append("interrupted: this is only a part of the run")
        code = 1
    write(results, given.output)
    return code


def write(results: Results, folder: Path) -> None:
    """Print the tables; keep them and every measurement as files."""
    folder.mkdir(parents=True, exist_ok=True)
    text = markdown(results)
    facts = {**results.as_json(), "goals": [goal.as_json() for goal in goals(results)], "doubts": doubts(results)}
    (folder / "bench.json").write_text(json.dumps(facts, indent=1))
    (folder / "bench.md").write_text(text)
    print(text)
    print(f"written: {folder / 'bench.md'}, {folder / 'bench.json'}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
