"""A streamed answer on its way: relayed event by event as it arrives, all but the terminator, and read along."""

from policies.outcome import Answer, StreamReader


class Stream:
    """Bytes in, bytes to relay out. `over` is set once nothing more needs to be waited for."""

    __slots__ = ("_held", "_reader", "over")

    def __init__(self, *, hide_usage: bool) -> None:
        self._reader = StreamReader(hide_usage=hide_usage)
        self._held = b""
        self.over = False

    def feed(self, data: bytes) -> bytes:
        """What may go on to the client now."""
        relay, held = self._reader.split(data)
        self._held += held
        self.over = self._reader.done or self._reader.error is not None
        return relay

    def finish(self) -> bytes:
        """No more data comes: what may still go on to the client before the terminator."""
        relay, held = self._reader.finish()
        self._held += held
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
    def whole(self) -> bool:
        """It has ended as a good stream ends."""
        return self._reader.done and self._reader.error is None

    @property
    def reported(self) -> bool:
        """The provider sent an error inside the stream; the client has it already."""
        return self._reader.error is not None
