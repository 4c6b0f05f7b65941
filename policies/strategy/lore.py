"""What a router has learnt, as a value that outlives it: kept in the registry, told to other processes."""

from __future__ import annotations  # numpy's types are named, and not loaded

import zlib
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from policies.arrays import np
from policies.strategy.features import DIMENSIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEPS = 255.0  # a vector's numbers, 0..1, are kept as one byte each: a cosine is off by less than 0.02


@dataclass(frozen=True, slots=True)
class Known:
    """Of one model: the sum of its rating's moves, means, and its requests, the oldest first."""

    key: str
    moved: float
    ms: float | None  # to the last byte; None: nothing was seen
    tokens: float  # of an answer
    ids: tuple[str, ...]
    quality: NDArray[np.float64]
    vectors: NDArray[np.float32]  # (requests, DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Lore:
    """Of all models of a policy."""

    models: tuple[Known, ...]

    def to_json(self) -> dict[str, Any]:
        """As the registry has it."""
        return {"models": [_packed(known) for known in self.models]}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """What `to_json` gave.

        Raises:
            ValueError: it is something else, or cut short.
        """
        try:
            return cls(tuple(_unpacked(each) for each in stored["models"]))
        except (KeyError, TypeError, AttributeError, zlib.error) as error:
            raise ValueError(f"what a router had learnt can't be read: {error!r}") from error


def _packed(known: Known) -> dict[str, Any]:
    steps = np.rint(known.vectors * _STEPS).astype(np.uint8)
    return {
        "key": known.key,
        "moved": known.moved,
        "ms": known.ms,
        "tokens": known.tokens,
        "ids": list(known.ids),
        "quality": known.quality.tolist(),
        "vectors": b64encode(zlib.compress(steps.tobytes(), 1)).decode(),
    }


def _unpacked(stored: dict[str, Any]) -> Known:
    steps = np.frombuffer(zlib.decompress(b64decode(stored["vectors"])), dtype=np.uint8)
    ids = tuple(map(str, stored["ids"]))
    quality = np.array(stored["quality"], dtype=np.float64)
    vectors = steps.reshape(len(ids), DIMENSIONS).astype(np.float32) / np.float32(_STEPS)
    if quality.shape != (len(ids),):
        raise ValueError("what a router had learnt is cut short")
    ms = stored["ms"]
    return Known(
        str(stored["key"]),
        float(stored["moved"]),
        None if ms is None else float(ms),
        float(stored["tokens"]),
        ids,
        quality,
        vectors,
    )
