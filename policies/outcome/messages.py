"""The answer of Anthropic's messages endpoint that was not streamed.

`input_tokens` there leaves out what was read from the cache or written to it; here it is all that went in.

Source: Anthropic API reference, "Create a message"; "Handling stop reasons"; "Prompt caching".
"""

from collections.abc import Mapping
from typing import Any

import orjson

from policies.outcome.answer import Answer, as_text, call, describe_error

REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def read_message(body: bytes) -> Answer:
    """The answer in the body of a message, or the error in it."""
    answer = Answer()
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if type(value) is not dict:
        answer.malformed = 1
        return answer
    answer.model = as_text(value.get("model"))
    read_usage(answer, value.get("usage"))
    if value.get("error") or value.get("type") == "error":
        answer.error = describe_error(value.get("error") or value)
        return answer
    content = value.get("content")
    if type(content) is not list:
        answer.malformed = 1
        return answer
    answer.complete = True
    read_reason(answer, value.get("stop_reason"))
    blocks = [block for block in content if type(block) is dict]
    answer.text = "".join([as_text(block.get("text")) for block in blocks if block.get("type") == "text"])
    answer.tool_calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
    return answer


def read_reason(answer: Answer, reason: Any) -> None:
    """Take over a `stop_reason`, by the name that it has everywhere."""
    if reason and type(reason) is str:
        answer.finish_reason = REASONS.get(reason, reason)


def read_usage(answer: Answer, usage: Any) -> None:
    """Take over a `usage` object; anything else leaves the counts as they are."""
    if type(usage) is not dict:
        return
    cached = _number(usage.get("cache_read_input_tokens"))
    sent = _number(usage.get("input_tokens")) + cached + _number(usage.get("cache_creation_input_tokens"))
    answer.count(sent, cached, usage.get("output_tokens"))


def _number(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _call(block: dict[str, Any]) -> dict[str, str]:
    try:
        arguments = orjson.dumps(block.get("input")).decode()
    except orjson.JSONEncodeError:  # nested deeper than orjson writes
        arguments = ""
    return call(block.get("name"), arguments, block.get("id"))
