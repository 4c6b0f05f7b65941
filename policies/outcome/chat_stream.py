"""A streamed chat completion. Of several choices the first one is read.

Most providers end a stream with `[DONE]`; some only stop, after a `finish_reason` for every choice. No client can tell
the difference, so either is whole; a stream in which a choice has no `finish_reason` was cut.

Source: OpenAI API reference, "The chat completion chunk object".
"""

from dataclasses import replace
from typing import Any

import orjson

from policies.outcome.answer import Answer, as_list, as_object, as_text, call, describe_error, read_openai_usage
from policies.outcome.chat import REASONS
from policies.outcome.events import DROP, RELAY, TERMINATOR, EventReader


class ChatStream(EventReader):
    """Reads chunks; see `EventReader`."""

    __slots__ = ("_calls", "_finished", "_open", "_refusal")

    def __init__(self, hide_usage: bool = False) -> None:
        super().__init__(hide_usage)
        self._refusal: list[str] = []
        self._calls: dict[Any, list[str]] = {}  # index -> id, name, then pieces of the arguments
        self._open: set[Any] = set()  # choices that have begun
        self._finished: set[Any] = set()  # and those that have said why they ended

    @property
    def answer(self) -> Answer:
        """What was answered so far; a new value each time."""
        text = self._words.text()
        return replace(
            self.head,
            text=text,
            refusal="".join(self._refusal) or None,
            tool_calls=[call(name, "".join(pieces), own) for own, name, *pieces in self._calls.values()],
            malformed=self.head.malformed + self._words.broken,
            complete=self.done,
        )

    def _event(self, raw: bytes) -> int:
        kind, payload = self._fields(raw)
        if not payload:
            return RELAY
        if payload == b"[DONE]":
            self.done = True
            return TERMINATOR
        head = self.head
        try:
            chunk = orjson.loads(payload)
        except orjson.JSONDecodeError:
            chunk = None
        if type(chunk) is not dict:
            head.malformed += 1
        elif kind == b"error" or chunk.get("error"):
            head.error = head.error or describe_error(chunk.get("error") or chunk)
        else:
            return self._chunk(chunk, raw)
        return RELAY

    def _chunk(self, chunk: dict[str, Any], raw: bytes) -> int:
        head = self.head
        if not head.model:
            head.model = as_text(chunk.get("model"))
        usage, choices = chunk.get("usage"), chunk.get("choices")
        if usage is not None:
            read_openai_usage(head, usage)
        if type(choices) is not list:
            head.malformed += choices is not None or usage is None
            return RELAY
        for choice in choices:
            self._choice(choice, raw if usage is None and len(choices) == 1 else None)
        return DROP if self._hide_usage and not choices and type(usage) is dict else RELAY

    def _choice(self, choice: Any, raw: bytes | None) -> None:
        """One choice of a chunk; `raw` is the event where it brings nothing else."""
        if type(choice) is not dict:
            self.head.malformed += 1
            return
        index, reason = choice.get("index") or 0, choice.get("finish_reason")
        if type(index) is int:
            (self._finished if reason else self._open).add(index)
        if index:
            return  # not the first of several
        self._said(choice, None if reason else raw)
        if reason:
            self.head.finish_reason = REASONS.get(as_text(reason), as_text(reason)) or None

    def _said(self, choice: dict[str, Any], raw: bytes | None) -> None:
        delta = choice.get("delta")
        if type(delta) is not dict:
            return
        refusal, calls = delta.get("refusal"), delta.get("tool_calls")
        if refusal and type(refusal) is str:
            self._refusal.append(refusal)
        for one in as_list(calls):
            self._call(as_object(one))
        content = delta.get("content")
        if content and type(content) is str:
            self._words.add(content)
            if raw is not None and not refusal and not calls:
                self._words.learn(raw, b"content", content)

    def _call(self, sent: dict[str, Any]) -> None:
        index = sent.get("index")
        if type(index) is not int:  # some providers leave it out: a new id begins a call, the rest belongs to the last
            index = len(self._calls) if sent.get("id") or not self._calls else next(reversed(self._calls))
        known = self._calls.setdefault(index, ["", ""])
        function = as_object(sent.get("function"))
        known[0] = known[0] or as_text(sent.get("id"))
        known[1] = known[1] or as_text(function.get("name"))
        known.append(as_text(function.get("arguments")))

    def _may_end(self) -> bool:
        return bool(self._finished) and self._open <= self._finished and not self.malformed
