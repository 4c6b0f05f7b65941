"""Reading a streamed chat completion while it is relayed. Bytes in; bytes to relay, bytes to hold, and an answer out.

1. Only whole events are relayed, so that however the bytes were cut, the same bytes go out and the same answer is read.
   A client can't use a part of an event, so nothing is delayed.
2. The terminator event (`data: [DONE]`) and whatever follows it is held back, for the outcome to be recorded first.
3. A chunk that holds nothing but usage is dropped where it was asked for here and not by the client.
4. An event that is no JSON object is counted and relayed all the same.

Source: WHATWG HTML, "Server-sent events", 9.2.5-9.2.6; OpenAI API reference, "The chat completion chunk object".
"""

import re

import orjson

from policies.outcome.answer import Answer
from policies.outcome.chunks import Chunks

# Two line ends in a row. A carriage return at the very end may be half of a CRLF: wait for the next byte.
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_LONGEST_UNDECIDED = 3  # bytes of b"\r\n\r": what a boundary may already have behind the cut
_BOM = b"\xef\xbb\xbf"
_EVENT_LIMIT = 8 * 1024 * 1024

_RELAY, _DROP, _TERMINATOR = range(3)


class StreamReader:
    """Feed it the body as it arrives, in any pieces, then call `finish`.

    Args:
        hide_usage: drop the usage-only chunk, since the client did not ask for it.
    """

    __slots__ = ("_chunks", "_fresh", "_hide_usage", "_tail", "done")

    def __init__(self, hide_usage: bool = False) -> None:
        self.done = False  # the terminator was seen
        self._chunks = Chunks()
        self._hide_usage = hide_usage
        self._tail = b""  # the event that is not whole yet
        self._fresh = True  # no event was read yet

    @property
    def answer(self) -> Answer:
        """What was answered so far; a new value each time."""
        return self._chunks.answer(complete=self.done)

    @property
    def error(self) -> str | None:
        """The provider's error inside the stream, as one line."""
        return self._chunks.head.error

    @property
    def malformed(self) -> int:
        """How many events were no JSON objects."""
        return self._chunks.head.malformed

    @property
    def has_usage(self) -> bool:
        """Whether token counts have come."""
        return self._chunks.head.has_usage

    def feed(self, data: bytes) -> None:
        """Read a piece of the body that is not relayed through here."""
        self.split(data)

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Read a piece of the body: (bytes to relay now, bytes to hold until the outcome is recorded)."""
        if self.done:
            return b"", data
        buffer = self._tail + data if self._tail else data
        scan_from = max(0, len(self._tail) - _LONGEST_UNDECIDED)
        kept: list[bytes] = []
        start = relayed = 0
        while start < len(buffer) and (boundary := _event_end(buffer, max(start, scan_from))):
            verdict = self._event(buffer[start : boundary[0]])
            if verdict != _RELAY:
                kept.append(buffer[relayed:start])
                relayed = boundary[1]
            if verdict == _TERMINATOR:
                self._tail = b""
                return b"".join(kept), buffer[start:]
            start = boundary[1]
        kept.append(buffer[relayed:start])
        self._tail = buffer[start:]
        if len(self._tail) > _EVENT_LIMIT:
            kept.append(self._give_up())
        return b"".join(kept), b""

    def finish(self) -> tuple[bytes, bytes]:
        """The body has ended: what was still kept, as `split` would return it."""
        tail, self._tail = self._tail, b""
        if not tail:
            return b"", b""
        verdict = self._event(tail)
        if verdict == _TERMINATOR:
            return b"", tail
        return (b"" if verdict == _DROP else tail), b""

    def _give_up(self) -> bytes:
        """An event without end is not kept for ever: it is relayed unread, and counted."""
        self._chunks.head.malformed += 1
        tail, self._tail = self._tail, b""
        return tail

    def _event(self, raw: bytes) -> int:
        if self._fresh:
            raw = raw.removeprefix(_BOM)
            self._fresh = False
        kind, payload = _fields(raw)
        if not payload:
            return _RELAY
        if payload == b"[DONE]":
            self.done = True
            return _TERMINATOR
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            chunk = None
        usage_only = self._chunks.take(chunk, is_error=kind == b"error")
        return _DROP if usage_only and self._hide_usage else _RELAY


def _event_end(buffer: bytes, start: int) -> tuple[int, int] | None:
    """Where the first event from `start` on ends, without and with its blank line."""
    if b"\r" in buffer:
        match = _EVENT_END.search(buffer, start)
        return match.span() if match else None
    end = buffer.find(b"\n\n", start)  # what nearly every provider sends, found eight times as fast
    return (end, end + 2) if end >= 0 else None


def _fields(raw: bytes) -> tuple[bytes, bytes]:
    """An event's type and data; comments and unknown fields are skipped."""
    if raw.startswith(b"data: ") and b"\n" not in raw and b"\r" not in raw:
        return b"", raw[6:].strip()
    kind, data = b"", []
    for line in raw.splitlines():
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            kind = value.strip()
    return kind, b"\n".join(data).strip()
