"""Which texts are near-duplicates: MinHash finds pairs that may be, their shingles decide.

Source: Broder, "On the resemblance and containment of documents", 1997; banding as in Leskovec, Rajaraman and Ullman,
"Mining of Massive Datasets", chapter 3. With 40 bands of 3, a pair that shares 0.6 of its shingles is overlooked once
in 17,000 times.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from evolver.proposals.recorded import words

BANDS, ROWS = 40, 3
SHINGLE = 3  # words
BUCKET = 8  # earlier texts of a bucket that one is compared with: what all share is compared a few times, not with all


def shingles(text: str) -> frozenset[int]:
    """Hashes of every three words in a row; of shorter texts, of the whole."""
    found = words(text)
    grams = (" ".join(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1)))
    return frozenset(int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest(), "little") for gram in grams)


def resemblance(one: frozenset[int], other: frozenset[int]) -> float:
    """Jaccard's index, 0..1."""
    return len(one & other) / len(one | other)


def similar_pairs(texts: Sequence[str], least: float) -> Iterator[tuple[int, int, float]]:
    """(earlier, later, resemblance) of pairs that resemble each other at least so much.

    Of many alike not every pair is given, but they hang together: each with at least one that came before it.
    """
    sets = [shingles(text) for text in texts]
    buckets: list[defaultdict[bytes, list[int]]] = [defaultdict(list) for _ in range(BANDS)]
    for later, signature in enumerate(map(_signature, sets)):
        met: set[int] = set()
        for band, bucket in enumerate(buckets):
            alike = bucket[signature[band * ROWS : (band + 1) * ROWS].tobytes()]
            met.update(alike[:BUCKET], alike[-BUCKET:])
            alike.append(later)
        for earlier in sorted(met):
            value = resemblance(sets[earlier], sets[later])
            if value >= least:
                yield earlier, later, value


_SEEDS = np.random.default_rng(20).integers(1, 2**63, size=(2, BANDS * ROWS), dtype=np.uint64)


def _signature(found: frozenset[int]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The least value of each of 120 hash functions (multiply, add, and fold the upper bits)."""
    hashes = np.fromiter(found, dtype=np.uint64, count=len(found))[:, None]
    mixed = (hashes ^ (hashes >> np.uint64(29))) * (_SEEDS[0] | np.uint64(1)) + _SEEDS[1]
    return np.asarray((mixed ^ (mixed >> np.uint64(32))).min(axis=0), dtype=np.uint64)
