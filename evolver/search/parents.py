"""Who breeds. A strategy is a small protocol; others may be added."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from evolver.search.ledger import Ledger
from evolver.search.ranking import by_quality
from policies.genome import Genome


class ParentSelection(Protocol):
    """Chooses one parent of the population."""

    def choose(self, population: Sequence[Genome], ledger: Ledger, rng: np.random.Generator) -> Genome:
        """One of the population."""


@dataclass(frozen=True, slots=True)
class Tournament:
    """The best by quality of a few drawn at random."""

    size: int = 3

    def choose(self, population: Sequence[Genome], ledger: Ledger, rng: np.random.Generator) -> Genome:
        """One of the population."""
        drawn = rng.permutation(len(population))[: self.size]
        return by_quality([population[i] for i in drawn], ledger)[0]


@dataclass(frozen=True, slots=True)
class PerInstancePareto:
    """Each example keeps its best genomes; those that others cover are pruned; chance by examples held (GEPA, 2025).

    Keeps specialists alive: a genome that alone solves one kind of request breeds, whatever its mean.
    """

    def choose(self, population: Sequence[Genome], ledger: Ledger, rng: np.random.Generator) -> Genome:
        """One of the population."""
        holders = _prune(_holders(population, ledger), by_quality(population, ledger))
        held = np.array([sum(genome.content_hash in front for front in holders) for genome in population], dtype=float)
        if not held.any():
            return population[int(rng.integers(len(population)))]
        return population[int(rng.choice(len(population), p=held / held.sum()))]


def _holders(population: Sequence[Genome], ledger: Ledger) -> list[set[str]]:
    """Per example that several genomes were scored on, the hashes of the best."""
    by_example: dict[str, dict[str, float]] = {}
    for genome in population:
        for example, quality in ledger.qualities(genome).items():
            by_example.setdefault(example, {})[genome.content_hash] = quality
    compared = (scores for scores in by_example.values() if len(scores) > 1)
    return [{name for name, quality in scores.items() if quality == max(scores.values())} for scores in compared]


def _prune(holders: list[set[str]], best_first: Sequence[Genome]) -> list[set[str]]:
    """Drop, worst first, each genome without which every example would still have a holder (greedy set cover)."""
    for genome in reversed(best_first):
        name = genome.content_hash
        if all(len(front) > 1 for front in holders if name in front):
            holders = [front - {name} for front in holders]
    return holders
