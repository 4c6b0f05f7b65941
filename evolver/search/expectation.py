"""What the outcome of a comparison can be expected to score: its own figures flatter the one they chose.

The best of several noisy means is on average too good (the winner's curse; Cawley and Talbot, JMLR 2010). So each
example is scored by the genome that all other examples would choose: none has a say in choosing what it then scores
(Stone, "Cross-validatory choice and assessment of statistical predictions", 1974).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.search.ledger import Ledger
from policies.genome import Genome


def expected_quality(
    finalists: Sequence[Genome], base: Genome, ledger: Ledger, within: Sequence[str] | None
) -> float | None:
    """Quality 0..1 to expect of the best finalist, or of the base where none gains anything.

    Args:
        finalists: those compared.
        base: what they are compared with; its own quality is taken from all examples that it was scored on.
        ledger: all scores.
        within: examples that the finalists were not chosen on. Without such there is no honest figure but the base's.

    Returns:
        None where the base was never scored.
    """
    known = ledger.qualities(base)
    if not known:
        return None
    start = float(np.mean(list(known.values())))
    if within is None or not finalists:
        return start
    gains = [[0.0] * len(within)]
    gains += [[ledger.qualities(genome)[i] - known[i] for i in within] for genome in finalists]
    return min(1.0, max(0.0, start + crossed(np.array(gains))))


def crossed(gains: NDArray[np.float64]) -> float:
    """Mean gain of the choice, each example scored by the row that the others choose; the first of equals.

    Args:
        gains: (genomes, examples).
    """
    others = gains.sum(axis=1, keepdims=True) - gains
    return float(gains[np.argmax(np.round(others, 9), axis=0), np.arange(gains.shape[1])].mean())
