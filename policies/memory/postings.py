"""From entries to posting lists: for each word, the entries that hold it and what it adds to their scores.

Everything is in a few flat arrays, so that a large memory is not a million objects: the collector has nothing to look
at, and the texts are one block of bytes from which an entry is made when it is found.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with k1 = 1.2, b = 0.75.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import orjson

from policies.arrays import np
from policies.memory.entry import Entry
from policies.memory.words import words

if TYPE_CHECKING:
    from numpy.typing import NDArray

_K1, _B = 1.2, 0.75
_MOST = 65_535  # of one word in one entry that are counted
_AT_A_TIME = 32  # entries between two pauses: about a millisecond
_PIECE = 65_536  # of the arrays between two pauses


@dataclass(frozen=True, slots=True)
class Postings:
    """Posting lists by word, each ordered by entry; entries are numbers.

    `starts` has one more item than there are words: word w owns `documents[starts[w]:starts[w + 1]]`, and `impacts` in
    the same places, which are idf times saturated frequency. It is no array of numpy's: single items are read.
    """

    vocabulary: Mapping[str, int]
    starts: Sequence[int]
    documents: NDArray[np.int32]
    impacts: NDArray[np.float32]


class Texts:
    """Entries as they are served, packed; without sources and state, which no request needs."""

    __slots__ = ("_block", "_ends")

    def __init__(self) -> None:
        self._block = bytearray()
        self._ends = array("q", [0])

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, entry: Entry) -> None:
        """Append one."""
        self._block += orjson.dumps([entry.id, entry.text, entry.topics, entry.answer, entry.namespace])
        self._ends.append(len(self._block))

    def __getitem__(self, number: int) -> Entry:
        row = orjson.loads(memoryview(self._block)[self._ends[number] : self._ends[number + 1]])
        return Entry(row[0], row[1], tuple(row[2]), row[3], row[4])


class Builder:
    """Collects entries in the order of their numbers; `pause` is called every millisecond or so."""

    def __init__(self, pause: Callable[[], None]) -> None:
        self._pause = pause
        self._vocabulary: dict[str, int] = {}
        self._terms, self._counts = array("i"), array("H")
        self._lengths, self._distinct = array("i"), array("i")
        self.texts = Texts()

    def add(self, entries: Iterable[Entry]) -> None:
        """Take entries in."""
        vocabulary = self._vocabulary
        for number, entry in enumerate(entries):
            found = Counter(words(" ".join((entry.text, *entry.topics))))
            self._terms.extend([vocabulary.setdefault(word, len(vocabulary)) for word in found])
            self._counts.extend([min(count, _MOST) for count in found.values()])
            self._lengths.append(found.total())
            self._distinct.append(len(found))
            self.texts.add(entry)
            if not number % _AT_A_TIME:
                self._pause()

    def finish(self) -> Postings:
        """The lists."""
        terms = np.frombuffer(self._terms, np.int32) if self._terms else np.zeros(0, np.int32)
        counts = np.asarray(self._counts, dtype=np.float32)
        holders = np.repeat(np.arange(len(self.texts), dtype=np.int32), self._distinct)
        order = np.argsort(terms, kind="stable")  # by word, and within a word by entry; others run meanwhile
        holding = np.zeros(len(self._vocabulary), dtype=np.int64)
        documents, impacts = np.empty_like(holders), np.empty_like(counts)
        for piece in self._pieces(len(terms)):
            holding += np.bincount(terms[piece], minlength=len(holding))
        idf, norms = self._idf(holding), self._norms()
        for piece in self._pieces(len(terms)):
            chosen = order[piece]
            documents[piece], frequency = holders[chosen], counts[chosen]
            impacts[piece] = idf[terms[chosen]] * frequency / (frequency + norms[documents[piece]])
        starts = array("q", [0, *accumulate(holding.tolist())])
        return Postings(self._vocabulary, starts, documents, impacts)

    def _pieces(self, size: int) -> Iterator[slice]:
        for start in range(0, size, _PIECE):
            self._pause()
            yield slice(start, start + _PIECE)

    def _idf(self, holding: NDArray[np.int64]) -> NDArray[np.float32]:
        rarity = np.log1p((len(self.texts) - holding + 0.5) / (holding + 0.5))
        return np.asarray(rarity * (_K1 + 1), dtype=np.float32)

    def _norms(self) -> NDArray[np.float32]:
        lengths = np.asarray(self._lengths, dtype=np.float64)
        average = float(lengths.mean()) if len(lengths) else 1.0
        return np.asarray(_K1 * (1 - _B + _B * lengths / (average or 1.0)), dtype=np.float32)
