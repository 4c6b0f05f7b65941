"""The bandit: Thompson sampling with its probabilities made explicit, so that every draw's odds are known exactly.

The probability that an arm is the best of all is integrated on a grid and refreshed now and then; requests draw from
the resulting categorical. Floors are added, production keeps its share, and a suspect arm gets the floor alone.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from typing import TYPE_CHECKING, Self

from policies.arrays import np
from policies.assignment import Shares

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GRID = 512
_TWO_SIDED = 8.0  # from here on a posterior is bell-shaped: half the reach takes half the points
_REACH = 7.5  # standard deviations each way; a Beta(8, n) has less than 1e-6 beyond
_SKEWED_REACH = 12.0  # a Beta(1, n) has e^-13 beyond
_UNBOUNDED: Mapping[str, float] = {}
_NEGLIGIBLE = 1e-6  # of an arm's probability, left out at its lower end
_QUANTUM = 2.0**-40  # propensities are multiples of this, so that their sum is 1 without rounding


@dataclass(frozen=True, slots=True)
class Posterior:
    """A Beta posterior of an arm's mean reward; the default is the uniform prior."""

    alpha: float = 1.0
    beta: float = 1.0

    @property
    def mean(self) -> float:
        """The expected reward, in (0, 1)."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def weight(self) -> float:
        """How many rewards it is worth, the prior's two included."""
        return self.alpha + self.beta

    def update(self, reward: float, baseline: float = 0.5) -> Self:
        """The posterior after a reward in [0, 1], split between success and failure.

        `baseline`, a running mean over all arms, takes out drift that is common to them: the reward is moved by its
        distance from 1/2 and clipped, which keeps the order of the arms.
        """
        centred = min(max(reward - baseline + 0.5, 0.0), 1.0)
        return type(self)(self.alpha + centred, self.beta + 1.0 - centred)

    def merge(self, other: Posterior, prior: Posterior | None = None) -> Self:
        """Both posteriors' rewards over one prior, which both had begun with (default: uniform)."""
        begun = prior or Posterior()
        return type(self)(self.alpha + other.alpha - begun.alpha, self.beta + other.beta - begun.beta)

    def shrunk(self, towards: float, strength: float = 10.0) -> Self:
        """An intent's own posterior with the policy's mean as its prior, worth `strength` rewards."""
        return type(self)(self.alpha - 1.0 + strength * towards, self.beta - 1.0 + strength * (1.0 - towards))


def probability_best(posteriors: Sequence[Posterior]) -> NDArray[np.float64]:
    """For each arm the probability that its mean is the largest; shape (arms,), sums to 1.

    Each arm brings the grid that resolves its own density, however unequal the arms' certainty; on the union of
    these grids every distribution function is linear between two points. Below the highest of the lower ends hardly
    any arm is the best. The error is below 5e-5, and below 1e-3 where an arm has hardly a reward of one kind.
    """
    if len(posteriors) == 1:
        return np.ones(1)
    grids = [_grid(posterior) for posterior in posteriors]
    lowest = max(edges[np.searchsorted(cumulative, _NEGLIGIBLE)] for edges, cumulative in grids)
    union = np.sort(np.concatenate([edges[edges >= lowest] for edges, _ in grids]))
    below = np.array([np.interp(union, edges, cumulative) for edges, cumulative in grids])
    masses = np.diff(below, axis=1)
    others = _products_of_others((below[:, 1:] + below[:, :-1]) / 2.0)
    best: NDArray[np.float64] = np.einsum("ij,ij->i", masses, others)
    return np.asarray(best / best.sum())


def _products_of_others(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row the product of all others, without a division."""
    found = np.ones_like(rows)
    for row in range(1, len(rows)):
        np.multiply(found[row - 1], rows[row - 1], out=found[row])
    above = np.ones(rows.shape[1])
    for row in range(len(rows) - 2, -1, -1):
        above *= rows[row + 1]
        found[row] *= above
    return found


def _grid(posterior: Posterior) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cell edges and the distribution function at them."""
    alpha, beta = posterior.alpha, posterior.beta
    cells, reach = (_GRID // 2, _REACH) if min(alpha, beta) >= _TWO_SIDED else (_GRID, _SKEWED_REACH)
    reach *= np.sqrt(posterior.mean * (1.0 - posterior.mean) / (posterior.weight + 1.0))
    edges = np.linspace(max(posterior.mean - reach, 0.0), min(posterior.mean + reach, 1.0), cells + 1)
    middles = (edges[1:] + edges[:-1]) / 2.0
    log_density = (alpha - 1.0) * np.log(middles) + (beta - 1.0) * np.log1p(-middles)
    cumulative = np.concatenate(([0.0], np.cumsum(np.exp(log_density - log_density.max()))))
    return edges, cumulative / cumulative[-1]


def shares(
    production: str,
    challengers: Sequence[str],
    posteriors: Mapping[str, Posterior],
    *,
    production_share: float,
    floor: float,
    ceilings: Mapping[str, float] = _UNBOUNDED,
    capped: Collection[str] = (),
) -> Shares:
    """The propensities of the next epoch: production first, then the challengers in their order.

    Thompson's probabilities with the floor added, p = f + (1 - K f) w. Challengers together get at most
    1 - `production_share` (what is above their floors shrinks in proportion), each at most its ceiling, `capped` ones
    exactly the floor, and production all the rest. Where the floors alone exceed the budget they shrink; without a
    budget there are no challengers. An arm without a posterior has the uniform one.
    """
    budget = 1.0 - production_share
    if not challengers or budget <= 0.0:
        return Shares((production,), (1.0,))
    arms = (production, *challengers)
    floor = min(floor, budget / len(challengers))
    best = probability_best([posteriors.get(arm, Posterior()) for arm in arms])[1:]
    free = np.array([challenger not in capped for challenger in challengers])
    most = np.array([max(ceilings.get(challenger, 1.0) - floor, 0.0) for challenger in challengers])
    above = np.minimum((1.0 - len(arms) * floor) * best * free, most)
    room = budget - len(challengers) * floor
    if above.sum() > room:
        above *= room / above.sum()
    granted = [_quantised(floor + extra) for extra in above.tolist()]
    return Shares(arms, (1.0 - fsum(granted), *granted))


def _quantised(share: float) -> float:
    return max(1, int(share / _QUANTUM)) * _QUANTUM
