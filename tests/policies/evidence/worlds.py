"""Worlds for the statistical tests, vectorised over runs. Their bets are those of `loadtests.evidence`: lambda and X as
the paper has them, and nothing of the product's table of factors.
"""

from collections.abc import Callable

import numpy as np
from scipy.stats import binom

from loadtests.evidence.noharm import steps
from loadtests.evidence.rates import Floats
from loadtests.evidence.streams import Bools

TARGETS = (1.5, 2.0, 3.0, 5.0, 10.0)


def most(runs: int, probability: float, confidence: float = 0.999) -> int:
    """The count of events that `runs` runs exceed with probability at most 1 - confidence."""
    return int(binom.ppf(confidence, runs, probability))


def increments(challenger: Bools, failed: Bools, q: Floats | float, rho: float, target: float) -> Floats:
    """log(1 + lambda X) for every unit."""
    odds = np.broadcast_to(np.asarray(q, dtype=float), challenger.shape)
    return np.where(failed, steps(challenger, odds, target, rho), 0.0)


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
