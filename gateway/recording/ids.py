"""Request ids: UUID version 7 (RFC 9562), in order of time within a process."""

import os
from collections.abc import Callable
from typing import Final

_STAMP_BITS: Final = 12  # of `rand_a`: the fraction of the millisecond, RFC 9562 section 6.2, method 3
# The first digit of `rand_b`, which begins with the two bits of the variant.
_VARIANT: Final = dict(zip("0123456789abcdef", 4 * "89ab", strict=True))
_NS_PER_MS: Final = 1_000_000


def uuid7(stamp: int, randomness: bytes) -> str:
    """The id of a 60-bit time stamp (4096ths of a Unix millisecond) and 8 random bytes, two bits of which go unused."""
    time, rest = stamp.to_bytes(8, "big").hex(), randomness.hex()
    return f"{time[1:9]}-{time[9:13]}-7{time[13:]}-{_VARIANT[rest[0]]}{rest[1:4]}-{rest[4:]}"


class IdSource:
    """Ids that grow within this process, even where the clock stands or goes back."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy  # read for each id: bytes kept in stock would be shared by forked workers
        self._last = 0

    def new(self, now_ns: int) -> str:
        """An id of the time `now_ns`, nanoseconds since 1970."""
        rest = now_ns % _NS_PER_MS  # shifted alone: no number here is longer than a machine word
        stamp = (now_ns // _NS_PER_MS << _STAMP_BITS) + (rest << _STAMP_BITS) // _NS_PER_MS
        if stamp <= self._last:
            stamp = self._last + 1
        self._last = stamp
        return uuid7(stamp, self._entropy(8))


def id_time(request_id: str) -> float:
    """When the id was made, Unix seconds, to the millisecond.

    Raises:
        ValueError: not a UUID of version 7.
    """
    digits = request_id.replace("-", "")
    if len(request_id) != 36 or len(digits) != 32 or digits[12] != "7":
        raise ValueError(f"'{request_id}' is not a UUID of version 7")
    return int(digits[:12], 16) / 1000
