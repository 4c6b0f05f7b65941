"""What an entry is worth: how its requests fared with it, and how those fared that it was held out of at random.

Without hold-outs nothing is known of a cause: hard questions bring up their entries and fail all the same. With them,
the two rewards differ by what the entry does. Older requests count less, so that a memory may change its mind.
"""

from dataclasses import dataclass
from math import exp, log

from policies.arrays import np
from policies.bandit import Posterior, probability_best

LEAST = 20.0  # requests with the entry, and a quarter as many without it, before anything is said
DOUBT = 0.025  # probability that an entry helps, below which it goes
_GRID = 4_096
_LOWER = 0.05


@dataclass(frozen=True, slots=True)
class Counter:
    """Sums over requests; fractions, for older ones count less. Rewards are 0..1."""

    retrieved: float = 0.0  # requests that were shown it
    rewarded: float = 0.0
    withheld: float = 0.0  # requests it was held out of
    rewarded_without: float = 0.0

    def plus(self, other: "Counter", weight: float = 1.0) -> "Counter":
        """Both, the other with a weight."""
        return Counter(
            self.retrieved + weight * other.retrieved,
            self.rewarded + weight * other.rewarded,
            self.withheld + weight * other.withheld,
            self.rewarded_without + weight * other.rewarded_without,
        )

    @property
    def shown(self) -> Posterior:
        """Of the reward with it."""
        return Posterior(1.0 + self.rewarded, 1.0 + max(0.0, self.retrieved - self.rewarded))

    @property
    def without(self) -> Posterior:
        """Of the reward without it."""
        return Posterior(1.0 + self.rewarded_without, 1.0 + max(0.0, self.withheld - self.rewarded_without))

    @property
    def lower(self) -> float:
        """The 5 % quantile of the reward with it: what is kept where room is short. Without requests 0.05."""
        return quantile(self.shown, _LOWER)

    @property
    def helps(self) -> float | None:
        """The probability that requests fare better with it than without; None while too little is known."""
        if self.retrieved < LEAST or self.withheld < LEAST / 4:
            return None
        return float(probability_best([self.shown, self.without])[0])

    @property
    def harms(self) -> bool:
        """Whether it is to be deprecated."""
        helps = self.helps
        return helps is not None and helps < DOUBT


def decay(age_s: float, half_life_s: float) -> float:
    """The weight of what is that old: a half after each half-life."""
    return exp(-log(2.0) * max(0.0, age_s) / half_life_s)


def quantile(posterior: Posterior, share: float) -> float:
    """A Beta posterior's quantile, by integration on a grid; the error is below 1e-3."""
    edges = np.linspace(0.0, 1.0, _GRID + 1)
    middle = (edges[1:] + edges[:-1]) / 2.0
    logs = (posterior.alpha - 1.0) * np.log(middle) + (posterior.beta - 1.0) * np.log1p(-middle)
    mass = np.cumsum(np.exp(logs - logs.max()))
    return float(np.interp(share, np.concatenate(([0.0], mass / mass[-1])), edges))
