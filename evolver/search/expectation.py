"""What the outcome of a comparison can be expected to score: its own figures flatter the one they chose.

The best of several noisy means is on average too good (the winner's curse; Cawley and Talbot, JMLR 2010). Two remedies,
which err to opposite sides, and the mean of both:

1. Each example is scored by the genome that all other examples would choose: none has a say in choosing what it then
   scores (Stone, "Cross-validatory choice and assessment of statistical predictions", 1974). Too low where few examples
   decide, for whoever does well on one is the less chosen without it.
2. The winner's mean is drawn towards that of all finalists, by the share of their spread that is noise (Efron and
   Morris, "Stein's paradox in statistics", 1977). Too high by what is left of the choice.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.search.ledger import Ledger
from policies.genome import Genome


def expected_quality(
    finalists: Sequence[Genome],
    base: Genome,
    ledger: Ledger,
    within: Sequence[str] | None,
    winner: Genome | None,
) -> float | None:
    """Quality 0..1 to expect of the winner among the finalists, or of the base where there is none.

    Args:
        finalists: those compared.
        base: what they are compared with; its own quality is taken from all examples that it was scored on.
        ledger: all scores.
        within: examples that the finalists were not chosen on. Without such there is no honest figure but the base's.
        winner: the finalist that was chosen; None where none was better than the base.

    Returns:
        None where the base was never scored.
    """
    known = ledger.qualities(base)
    if not known:
        return None
    start = float(np.mean(list(known.values())))
    if within is None or not finalists:
        return start
    gains = np.array([[ledger.qualities(genome)[i] - known[i] for i in within] for genome in finalists])
    beside_base = np.vstack([np.zeros(len(within)), gains])
    drawn = 0.0 if winner is None else shrunk(gains, finalists.index(winner))
    # Below 0 counts, too: what the choice loses by chance makes up for what it gains by chance.
    return min(1.0, max(0.0, start + (crossed(beside_base) + drawn) / 2.0))


def crossed(gains: NDArray[np.float64]) -> float:
    """Mean gain of the choice, each example scored by the row that the others choose; the first of equals.

    Args:
        gains: (genomes, examples).
    """
    others = gains.sum(axis=1, keepdims=True) - gains
    return float(gains[np.argmax(np.round(others, 9), axis=0), np.arange(gains.shape[1])].mean())


def shrunk(gains: NDArray[np.float64], winner: int) -> float:
    """Mean gain of one row, drawn towards the mean of all rows as far as their spread is noise.

    Args:
        gains: (genomes, examples); what all rows have in common by example is no noise between them.
        winner: the row.
    """
    genomes, examples = gains.shape
    means = gains.mean(axis=1)
    if genomes < 2 or examples < 2:
        return float(means[winner])
    apart = gains - gains.mean(axis=0)
    noise = float(apart.var(axis=1, ddof=1).mean()) / examples * genomes / (genomes - 1)
    spread = float(means.var(ddof=1))
    kept = max(0.0, 1.0 - noise / spread) if spread > 0.0 else 0.0
    return float(means.mean() + kept * (means[winner] - means.mean()))
