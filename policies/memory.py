"""Memory: short entries that retrieval puts in front of a model, and the index that finds them (Okapi BM25).

Entries belong to snapshots, and a snapshot is named by the hash of its content, so that a genome which names one
always means the same entries. Ranking is lexical and deterministic: equal scores stand in the order of their ids.

Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009, with k1 = 1.2, b = 0.75.
"""

import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from policies.errors import NotFoundError
from policies.genome import MemoryLayer
from policies.lint import lint_text

_K1, _B = 1.2, 0.75
_QUERY_TERMS = 16  # the rarest ones of a query decide; more would cost time and add noise
_QUERY_CHARS = 8_000
_CHARS_PER_TOKEN = 4  # the usual estimate for English; a budget need not be exact
_ENTRY_CHARS = 4_000
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing worth remembering; `topics` are words by which it is found as well."""

    id: str
    text: str
    topics: tuple[str, ...] = ()


class Index:
    """Finds the entries that share rare words with a query. Immutable; built in time linear in the text."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = sorted(entries, key=lambda entry: entry.id)
        counts = [Counter(_words(" ".join((entry.text, *entry.topics)))) for entry in self._entries]
        lengths = [counter.total() for counter in counts]
        average = sum(lengths) / len(lengths) if lengths else 1.0
        found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for number, counter in enumerate(counts):
            norm = _K1 * (1 - _B + _B * lengths[number] / (average or 1.0))
            for word, count in counter.items():
                found[word].append((number, count * (_K1 + 1) / (count + norm)))
        self._postings = {word: (self._idf(len(hits)), hits) for word, hits in found.items()}

    def __len__(self) -> int:
        return len(self._entries)

    def top(self, query: str, k: int, token_budget: int | None = None) -> list[tuple[Entry, float]]:
        """At most `k` entries with their scores (> 0), best first; those that would break the budget are passed over.

        Args:
            query: what the user asks; the first 8,000 characters are read.
            k: at most so many.
            token_budget: tokens that all texts together may take, estimated at four characters each.
        """
        if k <= 0 or not self._entries:
            return []
        scores: defaultdict[int, float] = defaultdict(float)
        for idf, hits in self._rarest(query):
            for number, weight in hits:
                scores[number] += idf * weight
        ranked = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return self._fitting(ranked, k, math.inf if token_budget is None else token_budget * _CHARS_PER_TOKEN)

    def _fitting(self, ranked: list[tuple[int, float]], k: int, room: float) -> list[tuple[Entry, float]]:
        chosen: list[tuple[Entry, float]] = []
        for number, score in ranked:
            entry = self._entries[number]
            if len(entry.text) <= room:
                room -= len(entry.text)
                chosen.append((entry, score))
                if len(chosen) == k:
                    break
        return chosen

    def _rarest(self, query: str) -> list[tuple[float, list[tuple[int, float]]]]:
        words = sorted(set(_words(query[:_QUERY_CHARS])) & self._postings.keys())
        return sorted((self._postings[word] for word in words), key=lambda posting: -posting[0])[:_QUERY_TERMS]

    def _idf(self, documents: int) -> float:
        return math.log(1 + (len(self._entries) - documents + 0.5) / (documents + 0.5))


def retrieve(
    genes: MemoryLayer, indexes: Mapping[str | None, Index], query: str, *, token_budget: int | None = 1_024
) -> list[tuple[Entry, float]]:
    """What a genome's memory genes bring up for a query.

    Args:
        genes: the memory layer.
        indexes: snapshot hash -> index; None -> the policy's own memory, for a genome that names no snapshot.
        query: text of the last user message.
        token_budget: see `Index.top`.

    Raises:
        NotFoundError: the genome names a snapshot that is not loaded.
    """
    if genes.retriever_topk == 0:
        return []
    index = indexes.get(genes.snapshot)
    if index is None:
        if genes.snapshot is None:
            return []
        raise NotFoundError(f"memory snapshot {genes.snapshot} is not loaded; restore it or roll the memory layer back")
    return index.top(query, genes.retriever_topk, token_budget)


def snapshot_hash(entries: Sequence[Entry]) -> str:
    """128-bit BLAKE2b of the entries in the order of their ids, 32 hexadecimal digits."""
    rows = sorted([entry.id, entry.text, *entry.topics] for entry in entries)
    text = json.dumps(rows, separators=(",", ":"), ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def lint_entry(entry: Entry) -> list[str]:
    """Why an entry may not be written, one sentence each; empty: it may."""
    sentences = [f"Entry '{entry.id}' {fault}." for fault in lint_text("\n".join((entry.text, *entry.topics)))]
    if not entry.text.strip():
        sentences.append(f"Entry '{entry.id}' is empty.")
    if len(entry.text) > _ENTRY_CHARS:
        sentences.append(f"Entry '{entry.id}' is longer than {_ENTRY_CHARS} characters.")
    return sentences


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())
