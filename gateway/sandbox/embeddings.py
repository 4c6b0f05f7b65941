"""Embeddings by hashing words, letter triples and concepts: deterministic, and alike for texts that share any of them.

A concept stands for words of one meaning, so that texts without a word in common can be near each other.
"""

import base64
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.sandbox.draws import digest

DIMENSIONS = 256
_SYNONYMS = (
    "warranty guarantee guaranteed guarantees warranties covered coverage",
    "return returning returned returns refund send sent back",
    "cable cord lead wire",
    "power energy electricity consume consumes consumption draw draws watts",
    "late delayed delay overdue",
    "price cost costs priced fee expensive charge",
    "colour color shade painted",
    "yes right correct indeed agreed",
    "no wrong incorrect never denied",
)
_CONCEPTS = {word: f"={words.split()[0]}" for words in _SYNONYMS for word in words.split()}
_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """A unit vector; signed feature hashing (Weinberger et al. 2009) of words and, with less weight, letter triples."""
    vector = np.zeros(dimensions, dtype=np.float64)
    for word in _WORD.findall(text.lower()):
        _add(vector, word, 1.0)
        if word in _CONCEPTS:
            _add(vector, _CONCEPTS[word], 2.0)
        for start in range(len(word) - 2):
            _add(vector, f"#{word[start : start + 3]}", 0.3)
    norm = float(np.linalg.norm(vector))
    if norm == 0.0:
        vector[0] = norm = 1.0
    return (vector / norm).astype(np.float32)


def encode(vector: NDArray[np.float32], encoding: str | None) -> Any:
    """The vector as JSON numbers, or as base64 of little-endian float32."""
    if encoding == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()


def _add(vector: NDArray[np.float64], feature: str, weight: float) -> None:
    hashed = int.from_bytes(digest(feature)[:8], "little")
    vector[hashed % len(vector)] += weight if hashed >> 63 else -weight
