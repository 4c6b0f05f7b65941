"""Keyed BLAKE2b (RFC 7693) of 8 bytes, for hashes that are asked for many times under the same key."""

from hashlib import blake2b
from typing import Final

_KEPT: Final = 64  # salts change with every comparison that begins or ends
_BEGUN: Final[dict[bytes, blake2b]] = {}


def keyed(key: bytes) -> blake2b:
    """A hash that has taken the key in already, at a third of the cost.

    Raises:
        ValueError: the key is longer than BLAKE2b's 64 bytes.
    """
    begun = _BEGUN.get(key)
    if begun is None:
        if len(_BEGUN) >= _KEPT:
            _BEGUN.clear()
        begun = _BEGUN[key] = blake2b(digest_size=8, key=key)
    return begun.copy()
