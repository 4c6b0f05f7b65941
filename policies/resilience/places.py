"""Which of several upstreams serves a unit: by weight, and always the same one, for the provider's prefix cache.

Weighted rendezvous hashing: each upstream draws a number from the unit's hash, and -ln(u) / weight gives the order.
When the first can't serve, the unit's next does; nobody else moves. Adding an upstream at the end moves only those
units that go to it. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005 (the
logarithmic method).
"""

from collections.abc import Sequence
from hashlib import blake2b
from math import log
from struct import Struct

MOST = 8  # upstreams of one model: as many numbers as the digest holds
_NUMBERS = Struct(">8Q")
_LOG_SCALE = 64.0 * log(2.0)


def preference(weights: Sequence[float], unit: bytes) -> list[int]:
    """Indices of `weights` in the unit's order.

    Args:
        weights: above 0, at most MOST.
        unit: who asks.
    """
    drawn = _NUMBERS.unpack(blake2b(unit).digest())
    costs = [(_LOG_SCALE - log(drawn[at] + 0.5)) / weight for at, weight in enumerate(weights)]
    return sorted(range(len(costs)), key=costs.__getitem__)
