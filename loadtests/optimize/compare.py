"""Paired runs: every optimizer on the same worlds, with the same calls and the same seeds; what came of them."""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from loadtests.optimize.world import Optimize, World


@dataclass(frozen=True, slots=True)
class Run:
    """One optimizer on one world."""

    world: str
    optimizer: str
    calls: int  # allowed
    seed: int
    true: float
    base: float
    reported: float  # NaN where it returned production and claimed nothing
    overshoot: int  # calls made beyond those allowed


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval over paired seeds (Student's t, by scipy)."""

    mean: float
    low: float
    high: float


def runs(
    make: Callable[[int], World], seeds: Sequence[int], calls: int, optimizers: Mapping[str, Optimize]
) -> list[Run]:
    """Each of the optimizers on each seed's world."""
    return [_run(make(seed), seed, calls, name, one) for seed in seeds for name, one in optimizers.items()]


def _run(world: World, seed: int, calls: int, name: str, optimize: Optimize) -> Run:
    found = asyncio.run(optimize(world, calls, np.random.default_rng([seed, *name.encode()])))
    spent = world.calls
    true, base = world.truth(found.genome), world.truth(world.base)
    return Run(world.name, name, calls, seed, true, base, found.reported, max(0, spent - calls))


def interval(values: Sequence[float]) -> Interval:
    """Of independent values; infinitely wide for a single one."""
    from scipy.stats import t

    array = np.asarray(values, dtype=float)
    mean, n = float(array.mean()), len(array)
    if n < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(t.ppf(0.975, n - 1) * array.std(ddof=1) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def paired(found: Sequence[Run], first: str, second: str) -> dict[int, list[float]]:
    """Seed -> true scores of the first less those of the second, one for each number of calls."""
    one = {(run.seed, run.calls): run.true for run in found if run.optimizer == first}
    other = {(run.seed, run.calls): run.true for run in found if run.optimizer == second}
    differences: dict[int, list[float]] = {}
    for key in sorted(one.keys() & other.keys()):
        differences.setdefault(key[0], []).append(one[key] - other[key])
    return differences
