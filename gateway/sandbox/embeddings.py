"""Embeddings by hashing words and letter triples: deterministic, and alike for texts that share words."""

import base64
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gateway.sandbox.draws import digest

DIMENSIONS = 256
_WORD = re.compile(r"\w+")


def embed(text: str, dimensions: int = DIMENSIONS) -> NDArray[np.float32]:
    """A unit vector; signed feature hashing (Weinberger et al. 2009) of words and, with less weight, letter triples."""
    vector = np.zeros(dimensions, dtype=np.float64)
    for word in _WORD.findall(text.lower()):
        _add(vector, word, 1.0)
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
