"""An answer as a value, and how to read one from a chat completion's JSON. Nothing here raises on odd JSON.

Source: OpenAI API reference, "The chat completion object". Only the first choice is read.
"""

from dataclasses import dataclass, field
from typing import Any

import orjson

_ERROR_CHARS = 300


@dataclass(slots=True)
class Answer:
    """What a provider answered."""

    text: str = ""
    tool_calls: list[dict[str, str]] = field(default_factory=list)  # {"id", "name", "arguments"}; arguments unparsed
    finish_reason: str | None = None
    model: str = ""  # as the provider named it
    input_tokens: int = 0  # cached ones included
    cached_tokens: int = 0
    output_tokens: int = 0
    has_usage: bool = False  # false: the token counts are unknown, not zero
    refusal: str | None = None  # what stands in the `refusal` field
    error: str | None = None  # the provider's error object, as one line
    malformed: int = 0  # pieces that were no JSON of the expected kind
    complete: bool = False  # whole: the JSON was read, or the stream had its terminator

    def read_usage(self, usage: Any) -> None:
        """Take over a `usage` object; anything else leaves the counts as they are."""
        if type(usage) is not dict:
            return
        self.has_usage = True
        self.input_tokens = _count(usage.get("prompt_tokens"))
        self.output_tokens = _count(usage.get("completion_tokens"))
        self.cached_tokens = min(
            _count(as_object(usage.get("prompt_tokens_details")).get("cached_tokens")), self.input_tokens
        )


def read_answer(body: bytes) -> Answer:
    """The answer in the body of a chat completion that was not streamed, or the error in it."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Answer(malformed=1)
    if type(value) is not dict:
        return Answer(malformed=1)
    answer = Answer(model=as_text(value.get("model")))
    answer.read_usage(value.get("usage"))
    if value.get("error"):
        answer.error = describe_error(value["error"])
        return answer
    choices = value.get("choices")
    if type(choices) is not list or not choices or type(choices[0]) is not dict:
        answer.malformed = 1
        return answer
    _read_choice(answer, choices[0])
    return answer


def _read_choice(answer: Answer, choice: dict[str, Any]) -> None:
    message = choice.get("message")
    if type(message) is not dict:
        answer.malformed = 1
        return
    answer.complete = True
    answer.text = as_text(message.get("content"))
    answer.refusal = as_text(message.get("refusal")) or None
    answer.finish_reason = as_text(choice.get("finish_reason")) or None
    for call in as_list(message.get("tool_calls")):
        function = as_object(as_object(call).get("function"))
        if function:
            answer.tool_calls.append(
                {
                    "id": as_text(call.get("id")),
                    "name": as_text(function.get("name")),
                    "arguments": as_text(function.get("arguments")),
                }
            )


def describe_error(error: Any) -> str:
    """A provider's error as one bounded line: its message, or whatever there is instead."""
    if type(error) is dict:
        error = error.get("message") or error.get("code") or error.get("type") or error
    return " ".join(str(error).split())[:_ERROR_CHARS] or "unnamed error"


def as_text(value: Any) -> str:
    """The value where it is text, else empty text."""
    return value if type(value) is str else ""


def as_object(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if type(value) is dict else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is a JSON array, else an empty one."""
    return value if type(value) is list else []


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
