"""A text as hashed features: its words, and every four bytes of it in a row (for scripts that set no spaces).

Hashing needs no vocabulary, so that a classifier is nothing but a table of a fixed size, and any text has features.
Source: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

import re
from typing import TYPE_CHECKING
from zlib import crc32

from policies.arrays import np

if TYPE_CHECKING:
    from numpy.typing import NDArray


BUCKETS = 4_096  # of either kind
TEXT_BYTES = 320  # what a request is about shows early; bounds the time
_WORD = re.compile(rb"[a-z0-9_\x80-\xff]{2,}")
_MASK = BUCKETS - 1
_PRIMES = (2_654_435_761, 2_246_822_519, 3_266_489_917, 668_265_263)  # of 32 bits, as the codes that they multiply
_SHIFT = 20  # the upper 12 of 32 bits


def features(text: str) -> NDArray[np.intp]:
    """Rows of the table, below 2 x 4,096, of the first 320 bytes; empty where there is nothing to read."""
    said = text[:TEXT_BYTES].lower().encode("utf-8", "replace")[:TEXT_BYTES]
    words = [crc32(word) & _MASK for word in _WORD.findall(said)]
    if len(said) < 4:
        return np.array(words, dtype=np.intp)
    codes = np.frombuffer(said, dtype=np.uint8).astype(np.uint32)
    a, b, c, d = _PRIMES
    rows = (codes[:-3] * a + codes[1:-2] * b + codes[2:-1] * c + codes[3:] * d) >> _SHIFT
    return np.concatenate((rows.astype(np.intp) + BUCKETS, np.array(words, dtype=np.intp)))
