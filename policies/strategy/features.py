"""A text as a short vector: its words and pairs of words, hashed. The same in every process."""

from __future__ import annotations  # numpy's types are named, and not loaded

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

from policies.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


DIMENSIONS = 256
_WORDS = 96  # the first of a text: what it asks is said early, or the rest is material
_CHARS = 1_500
_WORD = re.compile(r"[^\W_]{3,}")


def features(text: str) -> NDArray[np.float32]:
    """A unit vector of `DIMENSIONS` numbers; all 0 where there are no words. Repeated words count by their root."""
    words = _WORD.findall(text[:_CHARS].lower())[:_WORDS]
    hashes = [crc32(word.encode()) for word in words]
    hashes += [(31 * first + second) & 0xFFFF_FFFF for first, second in pairwise(hashes)]
    counts = np.bincount(np.array(hashes, dtype=np.int64) % DIMENSIONS, minlength=DIMENSIONS)
    vector: NDArray[np.float32] = np.sqrt(counts).astype(np.float32)
    return vector / np.float32(max(1.0, np.sqrt(len(hashes))))
