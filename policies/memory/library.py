"""A snapshot, ready to search: facts and worked examples apart, and what a genome's genes bring up from them."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from policies.arrays import np
from policies.errors import NotFoundError
from policies.genome import MemoryLayer
from policies.memory.entry import Entry, hash_in_order, order
from policies.memory.index import CHARS_PER_TOKEN, Index, Scores
from policies.memory.meanings import Near

Recalled = list[tuple[Entry, float]]
TOKENS = 1_024


_AT_A_TIME = 128  # entries between two pauses: about a millisecond


def _no_pause() -> None:
    """Nobody else waits."""


def _paced(entries: Iterable[Entry], pause: Callable[[], None]) -> Iterator[Entry]:
    for number, entry in enumerate(entries):
        if not number % _AT_A_TIME:
            pause()
        yield entry


class Library:
    """The active entries of a snapshot. Immutable.

    Args:
        entries: of any state; at most one of each id.
        pause: see `Index`.
    """

    __slots__ = ("facts", "shots", "snapshot")

    def __init__(self, entries: Iterable[Entry], pause: Callable[[], None] = _no_pause) -> None:
        active = sorted((entry for entry in _paced(entries, pause) if entry.active), key=order)
        self.snapshot = hash_in_order(_paced(active, pause))
        self.facts = Index((entry for entry in active if not entry.answer), pause)
        self.shots = Index((entry for entry in active if entry.answer), pause)

    def __len__(self) -> int:
        return len(self.facts) + len(self.shots)

    def meant(self) -> list[str]:
        """What `Meanings` are made of: the texts of facts, then of worked examples."""
        return [*self.facts.meant(), *self.shots.meant()]

    def recall(
        self,
        genes: MemoryLayer,
        query: str,
        *,
        token_budget: int | None = TOKENS,
        namespace: str = "",
        near: Near | None = None,
    ) -> Recalled:
        """What the genes bring up for a query: facts, then worked examples, each best first, within one budget.

        `near` (see `Meanings.near`) adds the genes' `embedding_weight` times the cosine to each score.
        """
        floor, room = genes.min_score, token_budget
        facts, shots = _weighted(near, genes.embedding_weight)
        found = self.facts.top(query, genes.retriever_topk, room, min_score=floor, namespace=namespace, extra=facts)
        if not genes.shots_topk:
            return found
        if room is not None:
            room -= sum(len(entry.text) for entry, _ in found) // CHARS_PER_TOKEN
        return found + self.shots.top(query, genes.shots_topk, room, min_score=floor, namespace=namespace, extra=shots)


def _weighted(near: Near | None, weight: float) -> tuple[Scores | None, Scores | None]:
    if near is None or not weight:
        return None, None
    return near.facts * np.float32(weight), near.shots * np.float32(weight)


def retrieve(
    genes: MemoryLayer,
    libraries: Mapping[str | None, Library],
    query: str,
    *,
    token_budget: int | None = TOKENS,
    namespace: str = "",
    near: Near | None = None,
) -> Recalled:
    """What a genome's memory genes bring up for a query.

    Args:
        genes: the memory layer.
        libraries: by snapshot hash; None -> the policy's own memory, for a genome that names no snapshot.
        query: text of the last user message.
        token_budget: see `Index.top`.
        namespace: see `Index.top`.
        near: see `Library.recall`.

    Raises:
        NotFoundError: the genome names a snapshot that is not loaded.
    """
    if not genes.recalls:
        return []
    library = libraries.get(genes.snapshot)
    if library is None:
        if genes.snapshot is None:
            return []
        raise NotFoundError(f"memory snapshot {genes.snapshot} is not loaded; restore it or roll the memory layer back")
    return library.recall(genes, query, token_budget=token_budget, namespace=namespace, near=near)


def withhold(found: Recalled, share: float, draw: Callable[[], float]) -> Recalled:
    """Hold each entry out with that probability, so that what it is worth can be told from what its requests are worth.

    What is held out stays in its place as a blank, an entry without a text whose score is negated: it goes on record,
    and nothing of it goes up.

    Args:
        found: what was retrieved.
        share: 0..1.
        draw: uniform numbers in [0, 1).
    """
    return [(Entry(entry.id, ""), -score) if draw() < share else (entry, score) for entry, score in found]
