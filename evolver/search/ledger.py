"""All scores seen, and what they say about a genome: paired with the base, shrunk towards it."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.examples import Example
from evolver.search.values import Objectives, Score
from policies.genome import Genome

Floats = NDArray[np.float64]
SHRINKAGE = 4.0  # a genome's difference from the base counts n / (n + 4): few lucky examples move little
PRIOR_SD = 0.3  # of paired differences in quality, worth as many examples
ONE_SIDED_95 = 1.645
WORST_SHARE = 0.25  # robustness is the mean quality of the worst quarter


class Ledger:
    """Scores by genome and example; also the cache of evaluations."""

    def __init__(self, base: Genome) -> None:
        self.base = base.content_hash
        self._scores: dict[str, dict[tuple[str, str], Score]] = {}
        self._estimates: dict[str, Objectives] = {}  # until the next score: the base's scores move them all

    def known(self, genome: Genome) -> dict[tuple[str, str], Score]:
        """Scores of one genome, keyed by (example id, model that was called)."""
        return self._scores.setdefault(genome.content_hash, {})

    def missing(self, genome: Genome, examples: Iterable[Example]) -> list[Example]:
        """The examples that this genome has not been scored on with the model it would call."""
        known = self.known(genome)
        return [example for example in examples if key(genome, example) not in known]

    def record(self, genome: Genome, examples: Sequence[Example], scores: Sequence[Score]) -> None:
        """Add scores, one per example."""
        self._estimates.clear()
        self.known(genome).update({key(genome, one): score for one, score in zip(examples, scores, strict=True)})

    def qualities(self, genome: Genome) -> dict[str, float]:
        """Quality by example id."""
        return {example: score.quality for (example, _), score in self.known(genome).items()}

    def gain(self, genome: Genome, within: Iterable[str] | None = None) -> tuple[float, float, int]:
        """Mean gain in quality over the base on shared examples, its lower bound (about 95 %), and their number."""
        own, base = (self._table(name, within) for name in (genome.content_hash, self.base))
        differences = np.array([own[i][0] - base[i][0] for i in own if i in base])
        n = len(differences)
        if n == 0:
            return 0.0, -1.0, 0
        mean = float(differences.mean())
        variance = (float(((differences - mean) ** 2).sum()) + SHRINKAGE * PRIOR_SD**2) / (n + SHRINKAGE)
        return mean, mean - ONE_SIDED_95 * math.sqrt(variance / n), n

    def objectives(self, genome: Genome) -> Objectives:
        """The base's objectives plus this genome's paired differences, shrunk by the examples behind them."""
        name = genome.content_hash
        if name not in self._estimates:
            self._estimates[name] = self._estimate(name)
        return self._estimates[name]

    def _estimate(self, name: str) -> Objectives:
        own, base = self._table(name, None), self._table(self.base, None)
        shared = [i for i in own if i in base]
        start = _summary(np.array(list(base.values())))
        if name == self.base or not shared:
            return Objectives(*map(float, start))
        difference = _summary(np.array([own[i] for i in shared])) - _summary(np.array([base[i] for i in shared]))
        estimate = start + len(shared) / (len(shared) + SHRINKAGE) * difference
        return Objectives(*map(float, np.clip(estimate, 0.0, (1.0, np.inf, np.inf, 1.0))))

    def _table(self, content_hash: str, within: Iterable[str] | None) -> dict[str, tuple[float, float, float]]:
        wanted = None if within is None else set(within)
        scores = self._scores.get(content_hash, {})
        return {
            example: (score.quality, score.latency_ms, score.cost_usd)
            for (example, _), score in scores.items()
            if wanted is None or example in wanted
        }


def key(genome: Genome, example: Example) -> tuple[str, str]:
    """What identifies an evaluation of that genome: the example, and the model that is called."""
    return example.id, genome.strategy.model_key or example.model


def _summary(rows: Floats) -> Floats:
    """(mean quality, mean latency, mean cost, mean quality of the worst quarter) of rows of scores."""
    if not len(rows):
        return np.zeros(4)
    worst = np.sort(rows[:, 0])[: max(1, math.ceil(len(rows) * WORST_SHARE))]
    return np.array([*rows.mean(axis=0), worst.mean()])
