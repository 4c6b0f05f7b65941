"""The answer of the responses endpoint that was not streamed.

Source: OpenAI API reference, "The response object".
"""

from collections.abc import Mapping
from typing import Any

import orjson

from policies.outcome.answer import Answer, as_list, as_object, as_text, call, describe_error

INCOMPLETE: Mapping[str, str] = {"max_output_tokens": "length", "content_filter": "content_filter"}


def read_response(body: bytes) -> Answer:
    """The answer in the body of a response, or the error in it."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    answer = Answer()
    if type(value) is dict:
        read_object(answer, value)
    else:
        answer.malformed = 1
    return answer


def read_object(answer: Answer, value: dict[str, Any]) -> None:
    """Take over a response object: words, calls, usage, how it ended."""
    answer.id, answer.model = as_text(value.get("id")), as_text(value.get("model"))
    _read_usage(answer, value.get("usage"))
    status = value.get("status")
    if value.get("error") or status in ("failed", "cancelled"):
        answer.error = describe_error(value.get("error") or status)
        return
    output = value.get("output")
    if type(output) is not list:
        answer.malformed = 1
        return
    texts: list[str] = []
    refusals: list[str] = []
    for item in output:
        _read_item(answer, as_object(item), texts, refusals)
    answer.complete = True
    answer.text, answer.refusal = "".join(texts), "".join(refusals) or None
    if status == "incomplete":
        reason = as_text(as_object(value.get("incomplete_details")).get("reason"))
        answer.finish_reason = INCOMPLETE.get(reason, reason) or "length"
    elif status == "completed" or status is None:
        answer.finish_reason = "tool_calls" if answer.tool_calls else "stop"


def _read_item(answer: Answer, item: dict[str, Any], texts: list[str], refusals: list[str]) -> None:
    if item.get("type") == "function_call":
        answer.tool_calls.append(call(item.get("name"), item.get("arguments"), item.get("call_id")))
    elif item.get("type") == "message":
        for part in map(as_object, as_list(item.get("content"))):
            if part.get("type") == "output_text":
                texts.append(as_text(part.get("text")))
            elif part.get("type") == "refusal":
                refusals.append(as_text(part.get("refusal")))


def _read_usage(answer: Answer, usage: Any) -> None:
    if type(usage) is dict:
        cached = as_object(usage.get("input_tokens_details")).get("cached_tokens")
        answer.count(usage.get("input_tokens"), cached, usage.get("output_tokens"))
