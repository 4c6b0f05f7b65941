"""Who is better: NSGA-II over the shrunken objectives, with the best by quality always kept."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.search import pareto
from evolver.search.ledger import Ledger
from policies.genome import Genome

TOLERATED_LOSS = 0.05  # of quality against the base; what loses more is infeasible, however cheap
RESOLUTION = (0.01, 0.05, 0.05, 0.02)  # differences below this are noise: absolute, but relative for latency and cost


def matrix(genomes: Sequence[Genome], ledger: Ledger) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of (quality, -latency, -cost, robustness), rounded to the resolution, and violations of the constraint."""
    base = ledger.objectives(next((one for one in genomes if one.content_hash == ledger.base), genomes[0]))
    rows = np.array(
        [
            (o.quality, -o.latency_ms / (base.latency_ms or 1.0), -o.cost_usd / (base.cost_usd or 1.0), o.robustness)
            for o in map(ledger.objectives, genomes)
        ]
    )
    violations = np.maximum(0.0, base.quality - TOLERATED_LOSS - rows[:, 0])
    return np.round(rows / RESOLUTION) * RESOLUTION, violations


def by_quality(genomes: Sequence[Genome], ledger: Ledger) -> list[Genome]:
    """Best first; equal qualities by cost, then by hash."""

    def place(genome: Genome) -> tuple[float, float, str]:
        objectives = ledger.objectives(genome)
        return -objectives.quality, objectives.cost_usd, genome.content_hash

    return sorted(genomes, key=place)


def select(genomes: Sequence[Genome], ledger: Ledger, size: int) -> list[Genome]:
    """The `size` that go on: half by quality alone (with four noisy objectives most fronts hold nearly all)."""
    best = by_quality(genomes, ledger)[: (size + 1) // 2]
    values, violations = matrix(genomes, ledger)
    others = [genomes[i] for i in pareto.order(values, violations) if genomes[i] not in best]
    return best + others[: size - len(best)]


def first_front(genomes: Sequence[Genome], ledger: Ledger) -> int:
    """How many genomes nothing dominates."""
    return int((pareto.fronts(*matrix(genomes, ledger)) == 0).sum())
