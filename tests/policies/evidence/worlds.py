"""Worlds for the statistical tests: vectorised over runs, with bets written from their definition.

Nothing here is shared with the code under test: `wealth` computes lambda and X as the paper has them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
TARGETS = (1.5, 2.0, 3.0, 5.0, 10.0)


def most(runs: int, probability: float, confidence: float = 0.999) -> int:
    """The count of events that `runs` runs exceed with probability at most 1 - confidence."""
    return int(binom.ppf(confidence, runs, probability))


def increments(challenger: Bools, failed: Bools, q: Floats | float, rho: float, target: float) -> Floats:
    """log(1 + lambda X) for every unit."""
    bet = (target - rho) / rho * q * (1 - q) / (target * q + 1 - q)
    x = np.where(challenger, failed / q, -rho * failed / (1 - np.asarray(q)))
    return np.log1p(bet * x)


def crossed(challenger: Bools, failed: Bools, q: Floats | float, *, rho: float, alpha: float) -> Bools:
    """For each run (columns; units are rows) whether the mixture's wealth ever reaches 1/alpha."""
    targets = [target for target in TARGETS if target > rho]
    logs = (np.cumsum(increments(challenger, failed, q, rho, target), axis=0) for target in targets)
    wealth = np.zeros(challenger.shape)
    for log in logs:
        wealth += np.exp(np.minimum(log, 600.0)) / len(targets)
    return np.asarray((wealth >= 1.0 / alpha).any(axis=0))


def identical(rng: np.random.Generator, rates: Floats, shares: Floats, runs: int) -> tuple[Bools, Bools]:
    """Arms and failures of an identical candidate where rate and share change from unit to unit."""
    shape = (len(rates), runs)
    return rng.random(shape) < shares[:, None], rng.random(shape) < rates[:, None]


def adaptive(
    rng: np.random.Generator, rates: Floats, runs: int, share: Callable[[Floats, Floats], Floats]
) -> tuple[Bools, Bools, Floats]:
    """As `identical`, with the share a function of each run's failures so far (candidate's, production's)."""
    challenger = np.empty((len(rates), runs), dtype=bool)
    failed = rng.random(challenger.shape) < rates[:, None]
    shares = np.empty(challenger.shape)
    theirs, ours = np.zeros(runs), np.zeros(runs)
    for unit in range(len(rates)):
        shares[unit] = share(theirs, ours)
        challenger[unit] = rng.random(runs) < shares[unit]
        theirs += challenger[unit] & failed[unit]
        ours += ~challenger[unit] & failed[unit]
    return challenger, failed, shares


def away_from_failures(theirs: Floats, ours: Floats) -> Floats:
    """A bandit's caricature: the candidate's share falls with its failures and rises with production's."""
    return np.clip(0.2 + 0.02 * (ours / 4.0 - theirs), 0.02, 0.5)


def constant(p0: float, units: int) -> Floats:
    """The same rate all the time."""
    return np.full(units, p0)


def diurnal(p0: float, units: int) -> Floats:
    """Two days, the rate between a tenth of p0 and nearly double."""
    return np.asarray(p0 * (1.0 + 0.9 * np.sin(np.linspace(0.0, 4.0 * np.pi, units))))


def outage(p0: float, units: int) -> Floats:
    """The middle tenth fails 25 times as often (at most 95 %)."""
    rates = np.full(units, p0)
    rates[int(0.45 * units) : int(0.55 * units)] = min(25.0 * p0, 0.95)
    return rates


def shifting(p0: float, units: int) -> Floats:
    """Intents with very different rates take turns."""
    return np.asarray(np.where(np.arange(units) // 500 % 2, min(4.0 * p0, 0.9), p0 / 4.0))


WORLDS: dict[str, Callable[[float, int], Floats]] = {
    "stationary": constant,
    "diurnal": diurnal,
    "outage": outage,
    "intents": shifting,
}
