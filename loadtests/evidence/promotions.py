"""Promotion: how often does each rule promote a candidate that is no better, alone and over a stream of candidates?

The product's four comparisons are run for all columns at once, unit by unit, from the same formulas.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from loadtests.evidence import rivals
from loadtests.evidence.rates import Floats
from loadtests.evidence.streams import BLOCK, Bools, Ints
from policies.evidence.betting import GAINS
from policies.evidence.elond import threshold

UNITS = 4_000
MARGINS = {"reward": 0.01, "failure": -0.05, "latency": -0.05, "cost": -0.05}
FDR = 0.10
GOOD_GAIN, WORSE = 0.10, -0.03
CANDIDATES, GOOD_SHARE = 1_000, 0.1
_BOLDEST, _PRIOR_UNITS = 0.5, 10.0


@dataclass
class Bets:
    """One metric's comparison, for all runs: prediction, second moment and one log-wealth for each gain."""

    delta: float
    runs: int
    total: Floats = field(init=False)
    squares: Floats = field(init=False)
    logs: Floats = field(init=False)
    units: int = 0

    def __post_init__(self) -> None:
        self.total, self.squares = np.full(self.runs, 0.5), np.zeros(self.runs)
        self.logs = np.zeros((len(GAINS), self.runs))

    def add(self, challenger: Bools, q: float, value: Floats) -> None:
        m = self.total / (1.0 + self.units)
        x = np.where(challenger, (value - m) / q, (m - value) / (1.0 - q)) - self.delta
        low = np.maximum(m / q, (1.0 - m) / (1.0 - q)) + self.delta
        scale = (_PRIOR_UNITS + self.units) / (_PRIOR_UNITS + self.squares)
        self.logs += np.log1p(np.minimum(np.outer(GAINS, scale), _BOLDEST / low) * x)
        self.squares += x * x
        self.total += value
        self.units += 1

    @property
    def e_value(self) -> Floats:
        return np.asarray(np.exp(np.minimum(self.logs, 690.0)).mean(axis=0))


@dataclass(frozen=True)
class Unit:
    """One unit of every run: arms, the share that was in force, and the four values (higher is better)."""

    challenger: Bools
    q: float
    values: dict[str, Floats]


def drifting(unit: int) -> tuple[float, float]:
    """Quality rises with the hour while the candidate's share grows: what fools means that are pooled over time."""
    progress = unit / UNITS
    return 0.45 + 0.40 * progress, 0.05 + 0.05 * np.floor(progress * 10.0)


def steady(_unit: int) -> tuple[float, float]:
    return 0.7, 0.2


def units(rng: np.random.Generator, runs: int, gain: float, *, drift: bool) -> Iterator[Unit]:
    """A candidate whose mean reward lies `gain` from production's, and that is like it in all else."""
    for unit in range(UNITS):
        quality, q = (drifting if drift else steady)(unit)
        challenger = rng.random(runs) < q
        yield Unit(
            challenger,
            q,
            {
                "reward": (rng.random(runs) < quality + gain * challenger).astype(float),
                "failure": (rng.random(runs) >= 0.02).astype(float),
                "latency": 1.0 - rng.uniform(0.2, 0.4, runs),
                "cost": 1.0 - rng.uniform(0.1, 0.3, runs),
            },
        )


@dataclass(frozen=True)
class Pool:
    """Many runs of one kind of candidate: the largest e-value, and the block tables of failed rewards."""

    largest: Floats
    counts: Ints
    lost: Ints


def pool(rng: np.random.Generator, runs: int, gain: float, *, drift: bool) -> Pool:
    """The smallest of the four e-values at its largest, over `UNITS` units."""
    bets = {name: Bets(delta, runs) for name, delta in MARGINS.items()}
    largest, counts, lost = np.zeros(runs), *(np.zeros((2, UNITS // BLOCK, runs), dtype=np.int64) for _ in range(2))
    for i, unit in enumerate(units(rng, runs, gain, drift=drift)):
        for name, each in bets.items():
            each.add(unit.challenger, unit.q, unit.values[name])
        # Where the reward's e-value has not risen anywhere, the smallest of the four has not either.
        if (bets["reward"].e_value > largest).any():
            largest = np.maximum(largest, np.minimum.reduce([each.e_value for each in bets.values()]))
        for arm in (0, 1):
            ours = unit.challenger == arm
            counts[arm, i // BLOCK] += ours
            lost[arm, i // BLOCK] += ours & (unit.values["reward"] == 0.0)
    return Pool(largest, counts, lost)


def promoted(found: Pool) -> dict[str, Bools]:
    """Which runs each rule promotes: the product as the first of its stream."""
    tables = (found.counts, found.lost)
    return {
        "EvoGate": found.largest >= threshold(1, 0, FDR),
        "TensorZero": rivals.tensorzero(*tables, worse=False),
        "P(best)": rivals.best(*tables, worse=False),
        "Kayenta": rivals.kayenta(*tables, worse=False),
        "z-test, one look": _z(found)[-1] > 1.6449,
        "z-test, peeked at": (_z(found)[4:] > 1.6449).any(axis=0),
    }


def _z(found: Pool) -> Floats:
    n, lost = np.cumsum(found.counts, axis=1).astype(float), np.cumsum(found.lost, axis=1).astype(float)
    rate = lost / np.maximum(n, 1.0)
    spread = np.sqrt((rate * (1.0 - rate) / np.maximum(n, 1.0)).sum(axis=0))
    return np.asarray((rate[0] - rate[1]) / np.maximum(spread, 1e-12))


@dataclass(frozen=True)
class Share:
    """Over streams of candidates: the mean share of false promotions, and of good candidates that were promoted."""

    false: float
    power: float
    promotions: float


def elond_stream(rng: np.random.Generator, good: Floats, null: Floats) -> tuple[int, int, int]:
    """(good promotions, false ones, good candidates) in random order, each held against e-LOND's threshold."""
    right, wrong = 0, 0
    kinds = rng.random(CANDIDATES) < GOOD_SHARE
    for k, is_good in enumerate(kinds, start=1):
        largest = rng.choice(good if is_good else null)
        if largest >= threshold(k, right + wrong, FDR):
            right, wrong = right + bool(is_good), wrong + (not is_good)
    return right, wrong, int(kinds.sum())


def stream_shares(rng: np.random.Generator, good: Pool, null: Pool, streams: int) -> dict[str, Share]:
    """e-LOND beside rules that look at each candidate by itself."""
    shares = {"EvoGate (e-LOND)": _summary([elond_stream(rng, good.largest, null.largest) for _ in range(streams)])}
    rates = {"good": promoted(good), "null": promoted(null)}
    for name in ("EvoGate", "TensorZero", "P(best)", "Kayenta", "z-test, one look", "z-test, peeked at"):
        label = "E >= 20 each" if name == "EvoGate" else name
        tries = rng.binomial(CANDIDATES, GOOD_SHARE, streams)
        right = rng.binomial(tries, rates["good"][name].mean())
        wrong = rng.binomial(CANDIDATES - tries, rates["null"][name].mean())
        shares[label] = _summary(list(zip(right.tolist(), wrong.tolist(), tries.tolist(), strict=True)))
    return shares


def _summary(found: list[tuple[int, int, int]]) -> Share:
    right, wrong, good = np.array(found, dtype=float).T
    made = right + wrong
    return Share(
        float((wrong / np.maximum(made, 1.0)).mean()),
        float((right / good).mean()),
        float(made.mean()),
    )
