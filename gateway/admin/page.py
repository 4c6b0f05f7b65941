"""Pages that cost their workers no more for being asked for often."""

import asyncio
from collections.abc import Awaitable, Callable

FRESH_S = 0.1


class Page:
    """What `make` gives, made at most once at a time and once in `FRESH_S` seconds, for however many ask for it."""

    def __init__(self, make: Callable[[], Awaitable[bytes]]) -> None:
        self._make = make
        self._made: asyncio.Future[bytes] | None = None
        self._at = 0.0  # on the loop's clock

    async def __call__(self) -> bytes:
        """The page, at most `FRESH_S` seconds old."""
        now = asyncio.get_running_loop().time()
        made = self._made
        if made is None or (made.done() and now - self._at > FRESH_S):
            self._at = now
            made = self._made = asyncio.ensure_future(self._make())
        return await asyncio.shield(made)

    def forget(self) -> None:
        """Something has changed: the next to ask gets a new one."""
        self._made = None
