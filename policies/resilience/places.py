"""Which of several upstreams serves a unit: by weight, and always the same one, for the provider's prefix cache.

Weighted rendezvous hashing: each upstream draws a number from the unit's hash, and -ln(u) / weight gives the order.
When the first can't serve, the unit's next does; nobody else moves. Adding an upstream at the end moves only those
units that go to it. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005 (the
logarithmic method).
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import log

MOST = 8  # upstreams of one model: the digest has 64 bytes
_BYTES = 8
_SCALE = 2.0**-64


def preference(weights: Sequence[float], unit: bytes, key: bytes = b"") -> list[int]:
    """Indices of `weights` in the unit's order.

    Args:
        weights: above 0, at most MOST.
        unit: who asks.
        key: at most 64 bytes; another key, another order.
    """
    digest = blake2b(unit, key=key).digest()
    scores = [_cost(digest[at * _BYTES : (at + 1) * _BYTES], weight) for at, weight in enumerate(weights)]
    return sorted(range(len(scores)), key=scores.__getitem__)


def _cost(drawn: bytes, weight: float) -> float:
    uniform = (int.from_bytes(drawn, "big") + 0.5) * _SCALE
    return -log(uniform) / weight
