"""How many records `evogate verify` decides again in a second of one core: `python -m loadtests.verify`."""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path

from gateway.cli.common import with_registry
from gateway.cli.verify import facts_of, recompute
from gateway.recording import verify_chain
from loadtests.recorded import make

TARGET = 50_000  # records a second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=20_000, help="of two turns, four records, each")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        records = asyncio.run(make(home, arguments.conversations))
        print(f"{records} records; the best of {arguments.rounds} rounds, seconds of processor time:")
        first = min(_seconds(lambda: chain(home)) for _ in range(arguments.rounds))
        second = min(_seconds(lambda: decided(home)) for _ in range(arguments.rounds))
    for what, took in (("the chain", first), ("decided again", second), ("both", first + second)):
        print(f"{what:>14}: {took:6.2f} s, {records / took:9,.0f} records/s")
    print(f"target: {TARGET:,} records/s; {'met' if records / (first + second) >= TARGET else 'missed'}")


def _seconds(work: object) -> float:
    assert callable(work)
    began = time.process_time()
    work()
    return time.process_time() - began


def chain(home: Path) -> None:
    """Check the hash chain of what `make` has left."""
    assert verify_chain(home / "spool" / "w0").ok


def decided(home: Path) -> None:
    """Decide again whatever was decided in it."""
    facts = with_registry(home, lambda registry: facts_of(registry, home))
    report, differs = recompute(facts, home / "spool", float("inf"))
    assert differs is None, differs
    assert report.right["promotion tests"] == report.right["rollbacks"] == 1, report


if __name__ == "__main__":
    main()
