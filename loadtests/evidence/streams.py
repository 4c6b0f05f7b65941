"""Worlds, as streams of failures: only failures move the no-harm wealth, so only they are kept.

A run is a column. Event arrays have shape (events, runs), the runs' failures in the order of assignment, padded at the
end. Block tables have shape (blocks, runs): units and failures of both arms, for the rules that count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.evidence.rates import Floats
from policies.assignment import Shares
from policies.bandit import Posterior, shares

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK = 100  # units
REFRESH = 5  # blocks between two refreshes of an adaptive share
FLOOR = 0.02


@dataclass(frozen=True)
class Stream:
    """Failures by run. `at` is seconds of assignment (infinite in the padding), `turns` how many turns failed."""

    unit: Ints
    at: Floats
    challenger: Bools
    q: Floats
    real: Bools
    units: Ints  # (2, blocks, runs): production's, the candidate's
    failures: Ints  # likewise
    per_s: float

    @property
    def runs(self) -> int:
        return int(self.unit.shape[1])


def pack(failed: Bools) -> tuple[Ints, Bools]:
    """(units, runs) -> unit indices by run, padded with the number of units, and which are no padding."""
    run, unit = np.nonzero(failed.T)
    counts = np.bincount(run, minlength=failed.shape[1])
    row = np.arange(len(run)) - np.repeat(np.cumsum(counts) - counts, counts)
    packed = np.full((max(int(counts.max(initial=0)), 1), failed.shape[1]), failed.shape[0], dtype=np.int64)
    packed[row, run] = unit
    return packed, packed < failed.shape[0]


def bernoulli(rng: np.random.Generator, rates: Floats, runs: int) -> Bools:
    """(units, runs) independent failures."""
    return np.asarray(rng.random((len(rates), runs), dtype=np.float32) < rates.astype(np.float32)[:, None])


def stream(
    rng: np.random.Generator,
    failed: Bools,
    share: float | None,
    *,
    per_s: float,
    lags: int = 0,
    ramp: bool = False,
) -> Stream:
    """Assign arms to an identical candidate's units: `failed` holds their failures whichever arm they get.

    `share` None is the product's own bandit, refreshed every `REFRESH` blocks. `lags`: units come from writers whose
    epoch is up to so many refreshes old. `ramp`: a fixed share is first halved, then grows.
    """
    units, runs = failed.shape
    unit, real = pack(failed)
    blocks = units // BLOCK
    block = np.minimum(unit // BLOCK, blocks - 1)
    counts, failures = np.zeros((2, blocks, runs), dtype=np.int64), np.zeros((2, blocks, runs), dtype=np.int64)
    by_block = np.zeros((blocks, runs), dtype=np.int64)
    np.add.at(by_block, (block[real], np.nonzero(real)[1]), 1)
    events = np.argwhere(real)[np.argsort(block[real], kind="stable")]  # by block
    ends = np.concatenate(([0], np.cumsum(by_block.sum(axis=1))))
    q, challenger = np.full(unit.shape, 0.5), np.zeros(unit.shape, dtype=bool)
    draws = rng.random(unit.shape)
    lag = rng.integers(0, lags + 1, unit.shape)
    history: list[Floats] = []
    for now in range(blocks):
        if now % REFRESH == 0:
            sums = (counts.sum(axis=1), failures.sum(axis=1))
            history.append(_share(share, now / blocks if ramp else 1.0, *sums))
        rows, columns = events[ends[now] : ends[now + 1]].T
        epoch = np.maximum(len(history) - 1 - lag[rows, columns], 0)
        odds = np.array(history)[epoch, columns]
        q[rows, columns] = odds
        challenger[rows, columns] = draws[rows, columns] < odds
        for arm in (0, 1):
            np.add.at(failures[arm, now], columns[challenger[rows, columns] == arm], 1)
        theirs = rng.binomial(BLOCK - by_block[now], history[-1])
        counts[1, now] = theirs + failures[1, now]
        counts[0, now] = BLOCK - counts[1, now]
    at = np.where(real, unit / per_s, np.inf)
    return Stream(unit, at, challenger, q, real, counts, failures, per_s)


def _share(share: float | None, progress: float, units: Ints, failures: Ints) -> Floats:
    if share is not None:
        return np.full(units.shape[1], share * (0.5 + 0.5 * min(2.0 * progress, 1.0)))
    return np.array([_bandit(units[:, run], failures[:, run]) for run in range(units.shape[1])])


def _bandit(units: Ints, failures: Ints) -> float:
    names = ("production", "candidate")
    posteriors = {
        name: Posterior(1.0 + float(n - bad), 1.0 + float(bad))
        for name, n, bad in zip(names, units, failures, strict=True)
    }
    drawn: Shares = shares(names[0], names[1:], posteriors, production_share=0.5, floor=FLOOR)
    return drawn.propensity(names[1])


def harmed(
    rng: np.random.Generator, rates: Floats, runs: int, share: float, ratio: Floats | float, *, per_s: float
) -> tuple[Stream, Ints]:
    """A candidate that fails `ratio` times as often as `rates` (one number, or one for each unit), at a fixed share.

    Also, for each event, how many units the candidate had got by then.
    """
    challenger = rng.random((len(rates), runs), dtype=np.float32) < np.float32(share)
    ratios = np.broadcast_to(ratio, rates.shape)[:, None]
    scale = rates[:, None] * np.where(challenger, ratios, 1.0)
    failed = rng.random(challenger.shape, dtype=np.float32) < np.minimum(scale, 1.0)
    unit, real = pack(failed)
    at_event = np.minimum(unit, len(rates) - 1)
    arms = np.take_along_axis(challenger, at_event, axis=0)
    served = np.take_along_axis(np.cumsum(challenger, axis=0, dtype=np.int32), at_event, axis=0).astype(np.int64)
    shaped = challenger[: len(rates) // BLOCK * BLOCK].reshape(-1, BLOCK, runs)
    bad = failed[: len(rates) // BLOCK * BLOCK].reshape(-1, BLOCK, runs)
    counts = np.stack([(~shaped).sum(axis=1), shaped.sum(axis=1)])
    failures = np.stack([(bad & ~shaped).sum(axis=1), (bad & shaped).sum(axis=1)])
    at = np.where(real, unit / per_s, np.inf)
    return Stream(unit, at, arms & real, np.full(unit.shape, share), real, counts, failures, per_s), served
