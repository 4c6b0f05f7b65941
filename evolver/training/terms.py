"""What every trainer is bound by: the budget, the randomness, and how long and how fast it learns."""

from dataclasses import dataclass, field

import numpy as np

from evolver.search.budget import Budget
from evolver.search.race import Ceiling


@dataclass(frozen=True, slots=True)
class Hyper:
    """How a trainer learns; the rates are those of GRPO."""

    rounds: int = 20
    group_size: int = 6
    rate: float = 1.0
    passes: int = 4  # over each group
    clip: float = 0.4
    kl: float = 0.02


@dataclass(frozen=True, slots=True)
class Terms:
    """`ceiling` is the most that one call can cost, US dollars; `finding` is what prompted it, for the lineage."""

    budget: Budget
    ceiling: Ceiling
    rng: np.random.Generator
    hyper: Hyper = field(default_factory=Hyper)
    finding: str | None = None
