"""A streamed answer on its way: relayed event by event as it arrives, all but the terminator, and read along."""

from typing import Final

from policies.dialects import Dialect
from policies.outcome import Answer

_FAULTS: Final = {
    "malformed": "the upstream sent an event that can't be read",
    "truncated": "the upstream ended the stream before its end",
}


class Stream:
    """Bytes in, bytes to relay out. `over` is set once nothing more needs to be waited for."""

    __slots__ = ("_half", "_held", "_reader", "over")

    def __init__(self, dialect: Dialect, *, hide_usage: bool) -> None:
        self._reader = dialect.reader(hide_usage)
        self._held = b""
        self._half = False  # the body ended within an event
        self.over = False

    def feed(self, data: bytes) -> bytes:
        """What may go on to the client now."""
        reader = self._reader
        relay, held = reader.split(data)
        if held:
            self._held += held
        head = reader.head
        self.over = reader.done or head.error is not None or head.malformed > 0
        return relay

    def finish(self) -> bytes:
        """No more data comes: what may still go on to the client before the terminator."""
        fine = not self._reader.head.malformed
        relay, held = self._reader.finish()
        self._held += held
        self._half = fine and self._reader.head.malformed > 0
        return relay

    @property
    def terminator(self) -> bytes:
        """What was held back: `data: [DONE]` and whatever follows it."""
        return self._held

    @property
    def answer(self) -> Answer:
        """What has been read so far."""
        return self._reader.answer

    @property
    def sequence(self) -> int:
        """The number of the next event, where the endpoint numbers them."""
        return self._reader.sequence

    @property
    def whole(self) -> bool:
        """It has ended as a good stream ends."""
        return self._reader.done and not self.reported and not self._reader.head.malformed

    @property
    def reported(self) -> bool:
        """The provider sent an error inside the stream."""
        return self._reader.head.error is not None

    @property
    def fault(self) -> tuple[str, str]:
        """What is wrong with a stream that is neither: a word and a sentence."""
        kind = "malformed" if self._reader.head.malformed and not self._half else "truncated"
        return kind, _FAULTS[kind]
