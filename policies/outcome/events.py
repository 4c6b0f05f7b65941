"""Reading a streamed answer while it is relayed. Bytes in; bytes to relay, bytes to hold, and an answer out.

1. Only whole events are relayed, so that however the bytes were cut, the same bytes go out and the same answer is read.
   A client can't use a part of an event, so nothing is delayed.
2. The terminator event and whatever follows it is held back, for the outcome to be recorded first.
3. Usage that was asked for here and not by the client is hidden again, and nothing else is ever changed.
4. An event that is no JSON object is counted and relayed all the same.

A stream repeats itself: its events differ in little but the words. Once one has been read as JSON, those that equal it
in everything but the words are recognised by what stands before and behind, at a fifth of the cost; see `Words`.

Source: WHATWG HTML, "Server-sent events", 9.2.5-9.2.6.
"""

import re
from abc import ABC, abstractmethod
from typing import Final

from policies.outcome.answer import Answer
from policies.outcome.words import NO_USAGE, Words

# Two line ends in a row. A carriage return at the very end may be half of a CRLF: wait for the next byte.
_EVENT_END: Final = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_BOM: Final = b"\xef\xbb\xbf"
_BACKSLASH: Final = 92
_ODD: Final = re.compile(rb"[\r\n]|\\\Z")  # in words that are not to be recognised in a hurry
_EVENT_LIMIT: Final = 8 * 1024 * 1024

RELAY: Final = 0
DROP: Final = 1
TERMINATOR: Final = 2


class EventReader(ABC):
    """Feed it the body as it arrives, in any pieces, then call `finish`.

    Args:
        hide_usage: hide the usage from the client, which did not ask for it.
    """

    __slots__ = ("_fresh", "_hide_usage", "_tail", "_words", "done", "head")

    def __init__(self, hide_usage: bool = False) -> None:
        self.done = False  # the terminator was seen, or the body ended where an answer may end
        self.head = Answer()  # everything but the words
        self._hide_usage = hide_usage
        self._tail = b""  # the event that is not whole yet
        self._fresh = True  # no event was read yet
        self._words = Words()

    @property
    @abstractmethod
    def answer(self) -> Answer:
        """What was answered so far; a new value each time."""

    @property
    def error(self) -> str | None:
        """The provider's error inside the stream, as one line."""
        return self.head.error

    @property
    def malformed(self) -> int:
        """How many events were no JSON objects."""
        return self.answer.malformed

    @property
    def sequence(self) -> int:
        """The number of the next event, where the endpoint numbers them."""
        return 0

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Read a piece of the body: (bytes to relay now, bytes to hold until the outcome is recorded)."""
        if self.done:
            return b"", data
        words = self._words
        if not self._tail and data.startswith(words.before):  # one event a read is what most streams are
            end = data.find(b'"', words.start)
            rest, piece = data[end:], data[words.start : end]
            if (rest == words.ending or words.is_padded(rest, b'"}\n\n')) and _ODD.search(piece) is None:
                words.pieces.append(piece)
                return (data.replace(words.usage, b"") if self._hide_usage else data), b""
        buffer = self._tail + data if self._tail else data
        return self._split_slowly(buffer) if b"\r" in buffer else self._split_lines(buffer)

    def _split_lines(self, buffer: bytes) -> tuple[bytes, bytes]:
        """The same for any number of events whose lines end as nearly every provider's do."""
        words = self._words
        events = buffer.split(b"\n\n")
        self._tail = tail = events.pop()
        dropped: list[int] = []
        for number, event in enumerate(events):
            if event.startswith(words.before):
                end = event.find(b'"', words.start)
                rest = event[end:]
                if event[end - 1] != _BACKSLASH and (rest == words.behind or words.is_padded(rest, b'"}')):
                    words.pieces.append(event[words.start : end])
                    continue
            verdict = self._event(event)
            if verdict == TERMINATOR:
                self._tail = b""
                return self._shown(_lines(events[:number], dropped)), b"\n\n".join([*events[number:], tail])
            if verdict == DROP:
                dropped.append(number)
        relay = _lines(events, dropped) if dropped else buffer[: len(buffer) - len(tail)] if tail else buffer
        if self._hide_usage:
            relay = self._shown(relay)
        return (relay, b"") if len(tail) <= _EVENT_LIMIT else (relay + self._give_up(), b"")

    def finish(self) -> tuple[bytes, bytes]:
        """The body has ended, as far as HTTP can tell: what was still kept, as `split` would return it."""
        tail, self._tail = self._tail, b""
        verdict = self._event(tail) if tail else RELAY
        if verdict == TERMINATOR:
            return b"", tail
        if not self.done and self.error is None and self._may_end():
            self.done = True
        return (b"" if verdict == DROP else self._shown(tail)), b""

    @abstractmethod
    def _event(self, raw: bytes) -> int:
        """Read one event, given without the blank line that ends it: RELAY, DROP or TERMINATOR."""

    def _may_end(self) -> bool:
        """Whether the answer is whole, though no terminator has come."""
        return False

    def _split_slowly(self, buffer: bytes) -> tuple[bytes, bytes]:
        """The same with line ends of every kind."""
        kept: list[bytes] = []
        start = relayed = 0
        while boundary := _EVENT_END.search(buffer, start):
            verdict = self._event(buffer[start : boundary.start()])
            if verdict != RELAY:
                kept.append(buffer[relayed:start])
                relayed = boundary.end()
            if verdict == TERMINATOR:
                self._tail = b""
                return self._shown(b"".join(kept)), buffer[start:]
            start = boundary.end()
        kept.append(buffer[relayed:start])
        self._tail = buffer[start:]
        if len(self._tail) > _EVENT_LIMIT:
            kept.append(self._give_up())
        return self._shown(b"".join(kept)), b""

    def _shown(self, relay: bytes) -> bytes:
        """What the client would have got without asking: no `"usage": null` beside the words.

        Text can't hold these bytes: a quotation mark in a JSON string stands behind a backslash.
        """
        if self._hide_usage:
            for spelling in NO_USAGE:
                if b'"usage"' not in relay:
                    break
                relay = relay.replace(spelling, b"")
        return relay

    def _give_up(self) -> bytes:
        """An event without end is not kept for ever: it is relayed unread, and counted."""
        self.head.malformed += 1
        tail, self._tail = self._tail, b""
        return tail

    def _fields(self, raw: bytes) -> tuple[bytes, bytes]:
        """An event's type and data; comments and unknown fields are skipped."""
        if self._fresh:
            raw = raw.removeprefix(_BOM)
            self._fresh = False
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


def _lines(events: list[bytes], dropped: list[int]) -> bytes:
    """Events as they came, but for the dropped ones."""
    return b"".join([event + b"\n\n" for number, event in enumerate(events) if number not in dropped])
