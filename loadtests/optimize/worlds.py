"""The worlds by name, each seed its own; those that tune and those that report have nothing in common."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loadtests.optimize import bank_world, routing_world
from loadtests.optimize.bank_world import BankWorld, bank
from loadtests.optimize.routing_world import RoutingWorld
from loadtests.optimize.sandbox_world import SandboxWorld
from loadtests.optimize.world import World

WORLDS = ("sandbox", "bank", "routing")


def makers(wanted: Sequence[str], *, reporting: bool = True) -> dict[str, Callable[[int], World]]:
    """How to make the world of each seed; a world whose data are not there is left out, and said to be."""
    found: dict[str, Callable[[int], World]] = {}
    if "sandbox" in wanted:
        found["sandbox"] = SandboxWorld
    if "bank" in wanted and _there("prompt bank", bank_world.FILE):
        banks = sorted(bank(reporting=reporting).items())
        found["bank"] = lambda seed: BankWorld(*banks[seed % len(banks)], seed)
    if "routing" in wanted and _there("routing outcomes", routing_world.FILE):
        found["routing"] = lambda seed: RoutingWorld(seed, reporting=reporting)
    return found


def _there(name: str, file: Path) -> bool:
    if not file.exists():
        print(f"{name}: left out, {file} is not there", file=sys.stderr, flush=True)
    return file.exists()
