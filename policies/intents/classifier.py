"""A linear classifier over hashed features that knows when to say nothing.

A text scores about 1 where it is like an intent's examples and about 0 where it is like nothing seen before, so that
below the threshold the answer is "". Weights are whole numbers of one byte, with one scale an intent: the artefact is
bounded, and its version is the hash of its content.
"""

from __future__ import annotations  # numpy's types are named, and not loaded

import base64
import math
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from policies.arrays import np
from policies.intents.features import BUCKETS, features

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 2 * BUCKETS
MOST = 16  # intents of a policy
NAME_CHARS = 64


@dataclass(frozen=True, eq=False)
class Classifier:
    """Names with their columns of weights. `threshold` is the least score of an answer, 0..1."""

    names: tuple[str, ...]
    threshold: float
    scales: tuple[float, ...]  # weight = whole number x scale of its column
    weights: NDArray[np.int8] = field(repr=False)  # 8,192 rows, one column a name

    @cached_property
    def version(self) -> str:
        """64-bit BLAKE2b of the content, 16 hexadecimal digits."""
        digest = blake2b("\x1f".join(self.names).encode(), digest_size=8)
        digest.update(np.array([self.threshold, *self.scales], dtype="<f8").tobytes())
        digest.update(self.weights.tobytes())
        return digest.hexdigest()

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        return np.ascontiguousarray(self.weights * np.array(self.scales, dtype=np.float32), dtype=np.float32)

    def scores(self, text: str) -> NDArray[np.float32]:
        """One score a name; zeros where there is nothing to read."""
        rows = features(text)
        if not len(rows):
            return np.zeros(len(self.names), dtype=np.float32)
        total: NDArray[np.float32] = self._table.take(rows, axis=0).sum(axis=0)
        return total / np.float32(math.sqrt(len(rows)))

    def classify(self, text: str) -> str:
        """The name of what a text is about; "" where that is not clear enough."""
        scores = self.scores(text)
        best = int(scores.argmax())
        return self.names[best] if scores[best] >= self.threshold else ""


def to_json(classifier: Classifier) -> dict[str, Any]:
    """As the registry holds it: at most 180 kB."""
    return {
        "version": classifier.version,
        "names": list(classifier.names),
        "threshold": classifier.threshold,
        "scales": list(classifier.scales),
        "weights": base64.b85encode(classifier.weights.tobytes()).decode(),
    }


def from_json(value: dict[str, Any]) -> Classifier:
    """What `to_json` wrote.

    Raises:
        ValueError: it is something else, or was changed since.
    """
    try:
        names, scales = tuple(value["names"]), tuple(map(float, value["scales"]))
        weights = np.frombuffer(base64.b85decode(value["weights"]), dtype=np.int8).reshape(ROWS, len(names))
        found = Classifier(names, float(value["threshold"]), scales, weights)
        whole = _named(names) and len(scales) == len(names) and found.version == value["version"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not an intent classifier: {error}") from error
    if not whole:
        raise ValueError("the intent classifier's content is not what its version names")
    return found


def _named(names: tuple[Any, ...]) -> bool:
    right = all(isinstance(name, str) and 0 < len(name) <= NAME_CHARS for name in names)
    return right and 0 < len(names) == len(set(names)) <= MOST
