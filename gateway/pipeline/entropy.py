"""Randomness from the kernel, bought in bulk: one system call per thousand request ids."""

import os
from typing import Final

_BULK: Final = 8192


class Entropy:
    """`os.urandom` with a stock. The stock is this process's own: workers are started afresh, never forked."""

    __slots__ = ("_at", "_stock")

    def __init__(self) -> None:
        self._stock = b""
        self._at = 0

    def __call__(self, size: int) -> bytes:
        """`size` random bytes, at most 8,192; none is given out twice."""
        end = self._at + size
        if end > len(self._stock):
            self._stock, self._at, end = os.urandom(_BULK), 0, size
        taken, self._at = self._stock[self._at : end], end
        return taken
