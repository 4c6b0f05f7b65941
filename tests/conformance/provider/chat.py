"""/v1/chat/completions and /v1/completions."""

from collections.abc import Iterator
from typing import Any

import orjson

from tests.conformance.provider.framing import ARGUMENTS, REPLY, as_json, events, fill, words
from tests.faults.upstream import Answer

JSON = dict[str, Any]
CALL: JSON = {"id": "call_1", "type": "function"}
JOKE = orjson.dumps({"setup": "Why?", "punchline": "Because."}).decode()
USAGE = {"prompt_tokens": 9, "completion_tokens": 6, "total_tokens": 15}


def answer(body: JSON) -> Answer:
    """A tool call where there are tools and none was called yet, JSON where a format is given, else a sentence."""
    message = _message(body)
    reason = "tool_calls" if "tool_calls" in message else "stop"
    if body.get("stream"):
        return events(_chunks(body["model"], message, reason, usage=_wants_usage(body)))
    choice = {"index": 0, "message": {"role": "assistant", "refusal": None, **message}, "logprobs": None}
    return as_json({**_head(body["model"]), "choices": [{**choice, "finish_reason": reason}], "usage": USAGE})


def _wants_usage(body: JSON) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _message(body: JSON) -> JSON:
    last = body["messages"][-1]
    if last["role"] == "tool":
        return {"content": f"Noted: {last['content']}"}
    if body.get("tools") and body.get("tool_choice") != "none":
        tool = body["tools"][0]["function"]
        arguments = orjson.dumps(fill(tool.get("parameters") or {"type": "object"})).decode()
        return {"content": None, "tool_calls": [{**CALL, "function": {"name": tool["name"], "arguments": arguments}}]}
    format_ = body.get("response_format") or {"type": "text"}
    if format_["type"] == "json_schema":
        return {"content": orjson.dumps(fill(format_["json_schema"]["schema"])).decode()}
    if format_["type"] == "json_object":  # the schema is in the prompt
        return {"content": JOKE if "punchline" in str(last["content"]) else ARGUMENTS}
    return {"content": REPLY}


def _head(model: str, kind: str = "chat.completion") -> JSON:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": model, "service_tier": "default"}


def _chunks(model: str, message: JSON, reason: str, *, usage: bool) -> Iterator[JSON]:
    head = _head(model, "chat.completion.chunk")
    yield {**head, "choices": [_delta({"role": "assistant", "content": "" if message["content"] else None})]}
    for piece in words(message["content"] or ""):
        yield {**head, "choices": [_delta({"content": piece})]}
    for call in message.get("tool_calls", ()):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        opened = {"index": 0, **CALL, "function": {"name": name, "arguments": ""}}
        yield {**head, "choices": [_delta({"tool_calls": [opened]})]}
        for part in (arguments[:5], arguments[5:]):
            yield {**head, "choices": [_delta({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})]}
    yield {**head, "choices": [_delta({}, reason)]}
    if usage:
        yield {**head, "choices": [], "usage": USAGE}


def _delta(delta: JSON, reason: str | None = None) -> JSON:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}


def text(body: JSON) -> Answer:
    """The older endpoint."""
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": body["model"]}
    if body.get("stream"):
        choices = [*(_text(piece) for piece in words(REPLY)), _text("", "stop")]
        last = [{**head, "choices": [], "usage": USAGE}] if _wants_usage(body) else []
        return events([*({**head, "choices": [choice]} for choice in choices), *last])
    return as_json({**head, "choices": [_text(REPLY, "stop")], "usage": USAGE})


def _text(piece: str, reason: str | None = None) -> JSON:
    return {"index": 0, "text": piece, "logprobs": None, "finish_reason": reason}
