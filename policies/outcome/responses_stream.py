"""A streamed response. Its last event tells the whole answer again; the words before it matter where it is cut.

`response.completed` and `response.incomplete` end it well or short; after `response.failed` and `error` nothing more is
to come. Without one of these it was cut: the client's library waits for it.

Source: OpenAI API reference, "Streaming events" of responses.
"""

from dataclasses import replace
from typing import Any, Final

import orjson

from policies.outcome.answer import Answer, as_object, as_text, describe_error
from policies.outcome.events import RELAY, TERMINATOR, EventReader
from policies.outcome.responses import read_object

_DELTA: Final = b"event: response.output_text.delta\ndata: {"
_WORDS: Final = b'"delta":"'
_BACKSLASH: Final = 92
_NUMBER: Final = b'"sequence_number":'


class ResponseStream(EventReader):
    """Reads events; see `EventReader`. Usage is always told here and never hidden."""

    __slots__ = ("_latest",)

    def __init__(self, hide_usage: bool = False) -> None:
        super().__init__(hide_usage)
        self._latest = b""

    @property
    def answer(self) -> Answer:
        """What was answered so far; a new value each time."""
        text = self._words.text()
        broken = self.head.malformed + self._words.broken
        return replace(self.head, text=self.head.text or text, malformed=broken, complete=self.done)

    @property
    def sequence(self) -> int:
        """The number of the next event."""
        _, _, rest = self._latest.partition(_NUMBER)
        digits = rest.lstrip()[:18].split(b",")[0].split(b"}")[0].strip()
        return int(digits) + 1 if digits.isdigit() else 0

    def _event(self, raw: bytes) -> int:
        if raw.startswith(_DELTA) and self._takes_words(raw):
            return RELAY
        _, payload = self._fields(raw)
        if not payload or payload == b"[DONE]":  # some compatible servers send that, too
            return RELAY
        self._latest = raw
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            event = None
        if type(event) is not dict:
            self.head.malformed += 1
            return RELAY
        return self._typed(as_text(event.get("type")), event)

    def _takes_words(self, raw: bytes) -> bool:
        """Whether words could be taken as they stand: each such event has a number of its own and is not learned."""
        start = raw.find(_WORDS) + len(_WORDS)
        end = raw.find(b'"', start)
        if start < len(_WORDS) or raw[end - 1] == _BACKSLASH or not raw.endswith(b"}") or raw.count(b"\n") != 1:
            return False
        self._words.pieces.append(raw[start:end])
        self._latest = raw
        return True

    def _typed(self, name: str, event: dict[str, Any]) -> int:
        if name in ("response.completed", "response.incomplete"):
            self._whole(event)
            self.done = self.head.error is None
            return TERMINATOR if self.done else RELAY
        if name == "response.failed":
            self._whole(event)
            self.head.error = self.head.error or "the response failed"
        elif name == "error" or event.get("error"):
            self.head.error = self.head.error or describe_error(event.get("error") or event)
        elif name == "response.output_text.delta":
            self._words.add(as_text(event.get("delta")))
        elif name == "response.created":
            response = as_object(event.get("response"))
            self.head.id, self.head.model = as_text(response.get("id")), as_text(response.get("model"))
        return RELAY

    def _whole(self, event: dict[str, Any]) -> None:
        read_object(self.head, as_object(event.get("response")))
