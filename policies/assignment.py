"""Which arm a unit gets: a keyed hash of the unit, held against known odds.

The draw is a pure function of (salt, unit, shares): every worker that knows the epoch gives a conversation the same
arm, without asking anybody. The salt is secret and per experiment, so that nobody can choose their arm and no two
experiments share their randomness.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from math import fsum
from typing import Final

from policies.keyed import keyed

_STEPS: Final = 2.0**-53  # the spacing of doubles just below 1: the finest uniform grid that floats hold exactly
_TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Shares:
    """The eligible arms and their exact propensities, each above 0, summing to 1.

    Raises:
        ValueError: lengths differ, there is no arm, an arm occurs twice, or these are no probabilities.
    """

    arms: tuple[str, ...]
    propensities: tuple[float, ...]
    _edges: list[float] = field(init=False, repr=False, compare=False)  # upper ends of all intervals but the last

    def __post_init__(self) -> None:
        if not self.arms or len(self.arms) != len(self.propensities) or len(set(self.arms)) != len(self.arms):
            raise ValueError(f"arms {self.arms} don't go with propensities {self.propensities}")
        if not all(p > 0.0 for p in self.propensities) or abs(fsum(self.propensities) - 1.0) > _TOLERANCE:
            raise ValueError(f"propensities must be above 0 and sum to 1, got {self.propensities}")
        object.__setattr__(self, "_edges", list(accumulate(self.propensities))[:-1])

    def propensity(self, arm: str) -> float:
        """The probability with which `arm` is drawn; KeyError where it is not eligible."""
        try:
            return self.propensities[self.arms.index(arm)]
        except ValueError:
            raise KeyError(arm) from None

    def index(self, uniform: float) -> int:
        """The arm whose interval holds `uniform`, a number in [0, 1)."""
        return bisect_right(self._edges, uniform)


def uniform(salt: bytes, unit: str) -> float:
    """A number in [0, 1), uniform over the salts: the top 53 bits of a keyed BLAKE2b (RFC 7693).

    Raises:
        ValueError: the salt is longer than BLAKE2b's 64 bytes.
    """
    digest = keyed(salt)
    digest.update(unit.encode())
    return (int.from_bytes(digest.digest()[:7], "big") >> 3) * _STEPS


def draw(salt: bytes, unit: str, shares: Shares) -> int:
    """Index into `shares.arms`: over units, arm i comes up with probability `shares.propensities[i]`."""
    return shares.index(uniform(salt, unit))
