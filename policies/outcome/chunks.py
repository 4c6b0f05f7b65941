"""Putting the chunks of a streamed completion together."""

from dataclasses import replace
from typing import Any

from policies.outcome.answer import Answer, as_list, as_object, as_text, describe_error


class Chunks:
    """Accumulates chunks; texts are joined once, at the end."""

    __slots__ = ("_calls", "_refusal", "_text", "head")

    def __init__(self) -> None:
        self.head = Answer()  # everything but text, refusal and tool calls
        self._text: list[str] = []
        self._refusal: list[str] = []
        self._calls: dict[Any, list[str]] = {}  # index -> id, name, then pieces of the arguments

    def take(self, chunk: Any, *, is_error: bool = False) -> bool:
        """Add the JSON of one event; whether it held nothing but usage."""
        head = self.head
        if type(chunk) is not dict:
            head.malformed += 1
            return False
        if is_error or chunk.get("error"):
            head.error = head.error or describe_error(chunk.get("error") or chunk)
            return False
        if not head.model:
            head.model = as_text(chunk.get("model"))
        usage, choices = chunk.get("usage"), chunk.get("choices")
        if usage is not None:
            head.read_usage(usage)
        if type(choices) is not list:
            head.malformed += choices is not None or usage is None
            return False
        for choice in choices:
            self._choice(choice)
        return not choices and type(usage) is dict

    def _choice(self, choice: Any) -> None:
        if type(choice) is not dict:
            self.head.malformed += 1
            return
        if choice.get("index"):
            return  # not the first of several
        delta = choice.get("delta")
        if type(delta) is dict:
            self._delta(delta)
        if choice.get("finish_reason"):
            self.head.finish_reason = as_text(choice["finish_reason"]) or None

    def _delta(self, delta: dict[str, Any]) -> None:
        content = delta.get("content")
        if content and type(content) is str:
            self._text.append(content)
        refusal = delta.get("refusal")
        if refusal and type(refusal) is str:
            self._refusal.append(refusal)
        for call in as_list(delta.get("tool_calls")):
            self._call(as_object(call))

    def _call(self, call: dict[str, Any]) -> None:
        index = call.get("index")
        if type(index) is not int:  # some providers leave it out: a new id begins a call, the rest belongs to the last
            index = len(self._calls) if call.get("id") or not self._calls else next(reversed(self._calls))
        known = self._calls.setdefault(index, ["", ""])
        function = as_object(call.get("function"))
        known[0] = known[0] or as_text(call.get("id"))
        known[1] = known[1] or as_text(function.get("name"))
        known.append(as_text(function.get("arguments")))

    def answer(self, *, complete: bool) -> Answer:
        """The answer so far, as a value of its own."""
        return replace(
            self.head,
            text="".join(self._text),
            refusal="".join(self._refusal) or None,
            tool_calls=[
                {"id": call[0], "name": call[1], "arguments": "".join(call[2:])} for call in self._calls.values()
            ],
            complete=complete,
        )
