"""What a library's entries mean, as vectors of an embedding model, and how near a query is to each of them.

Kept beside the library, never in it: a snapshot is named by its texts, and vectors come later, or not at all.
"""

from typing import NamedTuple

from policies.arrays import np
from policies.memory.index import Scores
from policies.vectors import Matrix, Vector


class Near(NamedTuple):
    """Cosines of a query to the facts and to the worked examples of a library, in the order of its indexes, 0..1."""

    facts: Scores
    shots: Scores


class Meanings:
    """Vectors of one library. Immutable.

    Args:
        vectors: of `Library.meant`, in its order.
        facts: how many of them are facts.
    """

    __slots__ = ("_facts", "vectors")

    def __init__(self, vectors: Matrix, facts: int) -> None:
        self.vectors = vectors
        self._facts = facts

    def near(self, query: Vector) -> Near | None:
        """How near each entry is to a query; None where the query's vector is another model's."""
        if self.vectors.shape[1:] != query.shape and len(self.vectors):
            return None
        cosines = self.vectors @ query if len(self.vectors) else np.zeros(0, dtype=np.float32)
        cosines = np.maximum(cosines, np.float32(0.0))
        return Near(cosines[: self._facts], cosines[self._facts :])
