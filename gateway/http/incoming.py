"""A request's body that is still arriving: it goes on piece by piece, and nothing is read that nobody takes.

1. What is held is bounded by HELD_BYTES and one read of the event loop: beyond it the client is not read.
2. A declared length is kept. A body without one is chunked anew: one chunk for what one read brought.
3. What has been taken can't be had again, so that a request with such a body is sent once.
"""

from collections.abc import Callable
from typing import Final

from gateway.http import framing

HELD_BYTES: Final = 65_536


class Incoming:
    """Between the parser (`push`, `finish`), the client's connection (`flow`, `full`, `stop`), and who takes it."""

    __slots__ = ("_held", "_paused", "_waiting", "_write", "ended", "length", "on_wanted", "whole")

    def __init__(self, length: int | None) -> None:
        """`length` as the client declared it, in bytes; None: chunked."""
        self.length = length
        self.ended = False  # the client has sent all of it
        self.whole = False  # all of it has been taken
        self.on_wanted: Callable[[], None] | None = None  # there is room again for what the client has yet to send
        self._held: list[bytes] = []
        self._waiting = 0  # bytes of `_held`
        self._write: Callable[[bytes], None] | None = None
        self._paused = False

    def push(self, data: bytes) -> None:
        """A piece has come."""
        if data:
            self._held.append(data)
            self._waiting += len(data)

    def finish(self) -> None:
        """It was the last."""
        self.ended = True

    @property
    def full(self) -> bool:
        """Whether the client should wait."""
        return self._waiting >= HELD_BYTES or self._paused

    def begin(self, write: Callable[[bytes], None]) -> None:
        """Take it: `write` gets the pieces as they go on the wire, from now on."""
        self._write = write
        self.resume()

    def pause(self) -> None:
        """Take no more for now."""
        self._paused = True

    def resume(self) -> None:
        """Go on."""
        self._paused = False
        self.flow()
        if self.on_wanted is not None and not self.ended and not self.full:
            self.on_wanted()

    def stop(self) -> None:
        """Nobody takes any more of it."""
        self._write = self.on_wanted = None
        self._held.clear()

    def flow(self) -> None:
        """Hand on what is held, unless nobody takes it now."""
        if self._write is None or self._paused or self.whole:
            return
        data, self._held, self._waiting = b"".join(self._held), [], 0
        self.whole = self.ended
        if self.length is None:
            data = framing.chunk(data) + (framing.LAST_CHUNK if self.ended else b"")
        if data:
            self._write(data)
