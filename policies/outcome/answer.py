"""An answer as a value, the same for every endpoint.

| field           | chat, text completions | responses             | messages                             |
| --------------- | ---------------------- | --------------------- | ------------------------------------ |
| `finish_reason` |                        |                       |                                      |
| stop            | stop                   | completed             | end_turn, stop_sequence              |
| length          | length                 | max_output_tokens     | max_tokens, context window exceeded  |
| tool_calls      | tool_calls             | completed, with calls | tool_use                             |
| content_filter  | content_filter         | content_filter        | refusal                              |
| `input_tokens`  | prompt_tokens          | input_tokens          | input, cache read and cache creation |
| `cached_tokens` | of which cached        | of which cached       | cache read                           |

Any other reason passes as the provider wrote it. Cache creation is counted as plain input. Nothing here raises on odd
JSON.
"""

from dataclasses import dataclass
from typing import Any, Final

_ERROR_CHARS: Final = 300


@dataclass(slots=True, init=False)  # one an answer: compiled, a written `__init__` is native, a generated one is not
class Answer:
    """What a provider answered."""

    text: str
    tool_calls: list[dict[str, str]]  # {"id", "name", "arguments"}; arguments unparsed
    finish_reason: str | None
    model: str  # as the provider named it
    input_tokens: int  # cached ones included
    cached_tokens: int
    output_tokens: int
    has_usage: bool  # false: the token counts are unknown, not zero
    refusal: str | None  # the provider's or the model's own words for it
    error: str | None  # the provider's error object, as one line
    malformed: int  # pieces that were no JSON of the expected kind
    complete: bool  # whole: the JSON was read, or the stream came to its end
    id: str  # by which a later request may name it, where the provider stores it

    def __init__(
        self,
        text: str = "",
        tool_calls: list[dict[str, str]] | None = None,
        finish_reason: str | None = None,
        *,
        model: str = "",
        input_tokens: int = 0,
        cached_tokens: int = 0,
        output_tokens: int = 0,
        has_usage: bool = False,
        refusal: str | None = None,
        error: str | None = None,
        malformed: int = 0,
        complete: bool = False,
        id: str = "",  # noqa: A002 - the providers' word
    ) -> None:
        self.text = text
        self.tool_calls = [] if tool_calls is None else tool_calls
        self.finish_reason = finish_reason
        self.model = model
        self.input_tokens, self.cached_tokens, self.output_tokens = input_tokens, cached_tokens, output_tokens
        self.has_usage = has_usage
        self.refusal = refusal
        self.error = error
        self.malformed = malformed
        self.complete = complete
        self.id = id

    def count(self, sent: Any, cached: Any, out: Any) -> None:
        """Take over token counts; whatever is no number counts as none. Cached ones are among those sent."""
        self.has_usage = True
        self.input_tokens = sent if type(sent) is int and sent > 0 else 0
        self.output_tokens = out if type(out) is int and out > 0 else 0
        self.cached_tokens = min(cached, self.input_tokens) if type(cached) is int and cached > 0 else 0


def read_openai_usage(answer: Answer, usage: Any) -> None:
    """Take over `usage` of chat and text completions; anything but an object leaves the counts as they are."""
    if type(usage) is dict:
        details = usage.get("prompt_tokens_details")
        cached = details.get("cached_tokens") if type(details) is dict else 0
        answer.count(usage.get("prompt_tokens"), cached, usage.get("completion_tokens"))


def describe_error(error: Any) -> str:
    """A provider's error as one bounded line: its message, or whatever there is instead."""
    if type(error) is dict:
        error = error.get("message") or error.get("code") or error.get("type") or error
    return " ".join(str(error).split())[:_ERROR_CHARS] or "unnamed error"


def call(name: Any, arguments: Any, identity: Any) -> dict[str, str]:
    """A tool call as answers hold it."""
    return {"id": as_text(identity), "name": as_text(name), "arguments": as_text(arguments)}


def as_text(value: Any) -> str:
    """The value where it is text, else empty text."""
    return value if type(value) is str else ""


def as_object(value: Any) -> dict[str, Any]:
    """The value where it is a JSON object, else an empty one."""
    return value if type(value) is dict else {}


def as_list(value: Any) -> list[Any]:
    """The value where it is a JSON array, else an empty one."""
    return value if type(value) is list else []
