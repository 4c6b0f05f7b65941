"""Which operator next: chances follow the gain per call that each has brought so far."""

from collections.abc import Sequence

import numpy as np

from evolver.search.operators import Operator

FLOOR = 0.02  # of every operator's chance: what is useless now may help later
PRIOR_GAIN = 0.2  # optimism, in quality ...
PRIOR_CALLS = 8.0  # ... over so many calls: an untried operator looks better than most turn out to be


class OperatorBandit:
    """Chances proportional to optimistic gain per call, mixed with a floor."""

    def __init__(self, operators: Sequence[Operator]) -> None:
        self.operators = tuple(operators)
        self._gain = dict.fromkeys((operator.name for operator in operators), PRIOR_GAIN)
        self._calls = dict.fromkeys((operator.name for operator in operators), PRIOR_CALLS)

    def chances(self) -> dict[str, float]:
        """Probability of each operator to be pulled next; they sum to 1."""
        value = {name: self._gain[name] / self._calls[name] for name in self._gain}
        total = sum(value.values())
        share = 1 - FLOOR * len(value)
        return {name: FLOOR + share * one / total for name, one in value.items()}

    def pull(self, rng: np.random.Generator) -> Operator:
        """Draw an operator."""
        chances = np.array(list(self.chances().values()))
        return self.operators[int(rng.choice(len(self.operators), p=chances / chances.sum()))]

    def update(self, name: str, *, gain: float, calls: int) -> None:
        """What a child of that operator gained over its parent (0 where nothing), and the calls it took."""
        self._gain[name] += max(0.0, gain)
        self._calls[name] += calls
