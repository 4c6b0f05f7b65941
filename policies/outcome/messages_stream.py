"""A streamed message of Anthropic's. `message_stop` ends it; a `stop_reason` says that it may end.

Source: Anthropic API reference, "Streaming messages".
"""

from dataclasses import replace
from typing import Any

import orjson

from policies.outcome.answer import Answer, as_object, as_text, call, describe_error
from policies.outcome.events import RELAY, TERMINATOR, EventReader
from policies.outcome.messages import read_reason, read_usage


class MessageStream(EventReader):
    """Reads events; see `EventReader`. Usage is always told here and never hidden."""

    __slots__ = ("_calls", "_usage")

    def __init__(self, hide_usage: bool = False) -> None:
        super().__init__(hide_usage)
        self._usage: dict[str, Any] = {}
        self._calls: dict[Any, list[str]] = {}  # block -> id, name, then pieces of the input

    @property
    def answer(self) -> Answer:
        """What was answered so far; a new value each time."""
        text = self._words.text()
        return replace(
            self.head,
            text=text,
            tool_calls=[call(name, "".join(pieces) or "{}", own) for own, name, *pieces in self._calls.values()],
            malformed=self.head.malformed + self._words.broken,
            complete=self.done,
        )

    def _event(self, raw: bytes) -> int:
        kind, payload = self._fields(raw)
        if not payload:
            return RELAY
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError:
            event = None
        if type(event) is not dict:
            self.head.malformed += 1
            return RELAY
        if event.get("type") == "message_stop":
            self.done = True
            return TERMINATOR
        self._typed("error" if kind == b"error" else event.get("type"), event, raw)
        return RELAY

    def _typed(self, name: Any, event: dict[str, Any], raw: bytes) -> None:
        if name == "error":
            self.head.error = self.head.error or describe_error(event.get("error") or event)
        elif name == "content_block_delta":
            self._delta(event, raw)
        elif name == "content_block_start":
            self._block(event)
        elif name == "message_start":
            message = as_object(event.get("message"))
            self.head.model = as_text(message.get("model"))
            self._count(message.get("usage"))
        elif name == "message_delta":
            read_reason(self.head, as_object(event.get("delta")).get("stop_reason"))
            self._count(event.get("usage"))

    def _block(self, event: dict[str, Any]) -> None:
        block = as_object(event.get("content_block"))
        if block.get("type") == "tool_use":
            self._calls[_key(event)] = [as_text(block.get("id")), as_text(block.get("name"))]
        elif block.get("type") == "text" and block.get("text"):
            self._words.add(as_text(block["text"]))

    def _delta(self, event: dict[str, Any], raw: bytes) -> None:
        delta = as_object(event.get("delta"))
        kind = delta.get("type")
        if kind == "text_delta":
            text = as_text(delta.get("text"))
            if text:
                self._words.add(text)
                self._words.learn(raw, b"text", text)
        elif kind == "input_json_delta" and _key(event) in self._calls:
            self._calls[_key(event)].append(as_text(delta.get("partial_json")))

    def _count(self, usage: Any) -> None:
        """Counts are totals: what comes later replaces what came before, field by field."""
        if type(usage) is dict:
            self._usage |= {name: value for name, value in usage.items() if value is not None}
            read_usage(self.head, self._usage)

    def _may_end(self) -> bool:
        return self.head.finish_reason is not None and not self.malformed


def _key(event: dict[str, Any]) -> Any:
    index = event.get("index")
    return index if type(index) is int else None
