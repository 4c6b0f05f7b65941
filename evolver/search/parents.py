"""Who breeds. A strategy is a small protocol; others may be added."""

from collections.abc import Mapping, Sequence
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
        names = [genome.content_hash for genome in population]
        best_first = [genome.content_hash for genome in by_quality(population, ledger)]
        holders = _prune(_holders(names, [ledger.qualities(genome) for genome in population]), best_first)
        held = np.array([sum(name in front for front in holders) for name in names], dtype=np.float64)
        if not held.any():
            return population[int(rng.integers(len(population)))]
        return population[int(rng.choice(len(population), p=held / held.sum()))]


def _holders(names: Sequence[str], qualities: Sequence[Mapping[str, float]]) -> list[set[str]]:
    """Per example that several genomes were scored on, the names of the best."""
    by_example: dict[str, dict[str, float]] = {}
    for name, scored in zip(names, qualities, strict=True):
        for example, quality in scored.items():
            by_example.setdefault(example, {})[name] = quality
    best = {example: max(scores.values()) for example, scores in by_example.items() if len(scores) > 1}
    return [{name for name, one in by_example[example].items() if one == most} for example, most in best.items()]


def _prune(holders: list[set[str]], best_first: Sequence[str]) -> list[set[str]]:
    """Drop, worst first, each genome without which every example would still have a holder (greedy set cover)."""
    for name in reversed(best_first):
        if all(len(front) > 1 for front in holders if name in front):
            holders = [front - {name} for front in holders]
    return holders
