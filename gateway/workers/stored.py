"""Answers that a provider stores, in memory that workers share: whoever gets the next turn knows its conversation.

1. A table of fixed size, one place a digest: the newer answer replaces the older one.
2. Nobody locks, as with pins: words of two answers that were written at the same time don't fit together, and are none.
3. Only requests that name a stored answer or conversation look here; only answers that can be named are kept.
"""

import struct
from hashlib import blake2b

from gateway.workers.pins import Table

_PLACE = struct.Struct("@QQQQ")  # name, unit, turn, check; native: each word is copied at once
PLACE_BYTES = _PLACE.size


class SharedAnswers:
    """The table's places for answers: a `Store` of lineages."""

    def __init__(self, table: Table) -> None:
        self._memory = table.memory
        self._start = table.answers_at
        self._mask = table.places - 1

    def find(self, name: str) -> tuple[str, int] | None:
        """Unit and turn of a stored answer or conversation; None: not known here."""
        first, second = _digests(name)
        found, unit, turn, check = _PLACE.unpack_from(self._memory, self._place(first))
        if found != first or check != second ^ unit ^ turn:
            return None
        return f"{unit:016x}", turn

    def keep(self, name: str, unit: str, turn: int) -> None:
        """Remember which unit and turn it belongs to."""
        first, second = _digests(name)
        number = int(unit, 16)
        _PLACE.pack_into(self._memory, self._place(first), first, number, turn, second ^ number ^ turn)

    def _place(self, digest: int) -> int:
        return self._start + (digest & self._mask) * PLACE_BYTES


def _digests(name: str) -> tuple[int, int]:
    digest = blake2b(name.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]), int.from_bytes(digest[8:])
