"""The index that finds entries for a query: Okapi BM25 over the rarest words, exact, in arrays.

Ranking is deterministic: equal scores stand in the order of the entries' ids.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import TYPE_CHECKING, Any

from policies.arrays import np
from policies.memory.entry import Entry
from policies.memory.postings import Builder
from policies.memory.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Scores = NDArray[np.float32]
else:
    Scores = Any

QUERY_TERMS = 16  # the rarest ones of a query decide; more would cost time and add noise
QUERY_CHARS = 8_000
CHARS_PER_TOKEN = 4  # the usual estimate for English; a budget need not be exact
_SPARE = 16  # ranked beside the wanted ones, for those that do not fit the budget
_WIDER = 16  # times as many, where that was not enough
_LOOKED_AT = 2_048  # entries with some one word, to bound the best from below


def _no_pause() -> None:
    """Nobody else waits."""


class Index:
    """Finds the entries that share rare words with a query. Immutable; built in time linear in the text.

    Args:
        entries: all of one kind, at most one of each id; the state is not looked at.
        pause: called about every millisecond while it is built: in a thread, where others want to run.
    """

    __slots__ = ("_namespaces", "_owners", "_postings", "_texts")

    def __init__(self, entries: Iterable[Entry], pause: Callable[[], None] = _no_pause) -> None:
        ordered = sorted(entries, key=lambda entry: entry.id)
        self._namespaces = {"": 0}
        owners = [self._namespaces.setdefault(one.namespace, len(self._namespaces)) for one in ordered]
        self._owners = np.asarray(owners, dtype=np.int32) if len(self._namespaces) > 1 else None
        builder = Builder(pause)
        builder.add(ordered)
        del ordered, owners  # what comes now takes the most room
        self._texts = builder.texts
        self._postings = builder.finish()

    def __len__(self) -> int:
        return len(self._texts)

    def entries(self) -> Iterator[Entry]:
        """All of them, in the order of ids; without sources and state."""
        return (self._texts[number] for number in range(len(self._texts)))

    def meant(self) -> Iterator[str]:
        """What each entry is about, in the order of ids: its text and topics, without a worked example's answer."""
        return ("\n".join((entry.text, *entry.topics)) for entry in self.entries())

    def top(
        self,
        query: str,
        k: int,
        token_budget: int | None = None,
        *,
        min_score: float = 0.0,
        namespace: str = "",
        extra: Scores | None = None,
    ) -> list[tuple[Entry, float]]:
        """At most `k` entries with their scores (> 0), best first; those that would break the budget are passed over.

        Args:
            query: what the user asks; the first 8,000 characters are read.
            k: at most so many.
            token_budget: tokens that all texts together may take, estimated at four characters each.
            min_score: the cut-off; entries below it are left out.
            namespace: the tenant whose entries are looked at beside everybody's.
            extra: what each entry scores beside its words, in the order of ids, 0 or more.
        """
        terms = self._rarest(query) if k > 0 else []
        if k <= 0 or not (terms or extra is not None):
            return []
        scores = self._scores(terms)
        if extra is not None:
            scores += extra
        if self._owners is not None:
            owner = self._namespaces.get(namespace, 0)
            scores *= (self._owners == 0) | (self._owners == owner)
        room = inf if token_budget is None else token_budget * CHARS_PER_TOKEN
        return self._fitting(scores, terms, k, room, min_score)

    def _fitting(
        self, scores: Scores, terms: list[int], k: int, room: float, min_score: float
    ) -> list[tuple[Entry, float]]:
        chosen: list[tuple[Entry, float]] = []
        for number in self._ranked(scores, terms, k + _SPARE):
            score = float(scores[number])
            if score < min_score:
                break
            entry = self._texts[number]
            size = len(entry.text) + len(entry.answer)
            if size <= room:
                room -= size
                chosen.append((entry, score))
                if len(chosen) == k:
                    break
        return chosen

    def _ranked(self, scores: Scores, terms: list[int], wanted: int) -> Iterator[int]:
        """Numbers of entries with a score, best first; the first `wanted` come cheaply."""
        told = 0
        while True:
            best = self._best(scores, terms, wanted)
            yield from best[told:].tolist()
            if len(best) < wanted:
                return
            told, wanted = len(best), wanted * _WIDER

    def _best(self, scores: Scores, terms: list[int], wanted: int) -> NDArray[np.int64]:
        """The best `wanted` or all there are, in order.

        The scores of entries with some one word bound from below what the best have: few others need be sorted.
        """
        floor = np.float32(0.0)
        for term in terms:
            some = scores[self._documents(term)[:_LOOKED_AT]]
            if len(some) >= wanted and (floor := np.partition(some, -wanted)[-wanted]) > 0:
                break
        found = np.flatnonzero(scores >= floor) if floor > 0 else np.flatnonzero(scores)
        if len(found) > wanted:
            kept = scores[found]
            found = found[kept >= np.partition(kept, -wanted)[-wanted]]  # ties at the edge stay together
        return found[np.argsort(-scores[found], kind="stable")][:wanted]

    def _scores(self, terms: list[int]) -> Scores:
        scores = np.zeros(len(self._texts), dtype=np.float32)
        starts, impacts = self._postings.starts, self._postings.impacts
        for term in terms:
            scores[self._documents(term)] += impacts[starts[term] : starts[term + 1]]
        return scores

    def _documents(self, term: int) -> NDArray[np.int32]:
        starts = self._postings.starts
        return self._postings.documents[starts[term] : starts[term + 1]]

    def _rarest(self, query: str) -> list[int]:
        """The query's rarest known words, the rarest first; of two equally rare ones the first in the alphabet."""
        vocabulary, starts = self._postings.vocabulary, self._postings.starts
        known = [(word, vocabulary[word]) for word in set(words(query[:QUERY_CHARS])) if word in vocabulary]
        known.sort(key=lambda one: (starts[one[1] + 1] - starts[one[1]], one[0]))
        return [term for _, term in known[:QUERY_TERMS]]
