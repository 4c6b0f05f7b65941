"""Which conversations are recorded with their bodies. Outcomes are always recorded."""

import hashlib

_RANGE = 1 << 64


def keeps_body(unit: str, share: float) -> bool:
    """Whether the bodies of a unit are recorded, where `share` (0..1) of the units are.

    By a hash of the unit: a conversation is kept whole or left out whole, in each worker and at each boot, and one
    that is kept at some share is kept at every larger one. Independent of the draw of arms, which hashes otherwise.
    """
    if share >= 1.0:
        return True
    digest = hashlib.blake2b(unit.encode(), digest_size=8, person=b"body sample").digest()
    return int.from_bytes(digest) < share * _RANGE
