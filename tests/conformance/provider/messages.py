"""/v1/messages. Source: Anthropic API reference, "Messages" and "Streaming messages"."""

from collections.abc import Iterator
from typing import Any

from tests.conformance.provider.framing import ARGUMENTS, REPLY, TRIP, as_json, events, words
from tests.faults.upstream import Answer

JSON = dict[str, Any]
USAGE = {"input_tokens": 9, "output_tokens": 6, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0}


def answer(body: JSON) -> Answer:
    """A tool use where there are tools and none was used yet, else a sentence."""
    block = _block(body)
    if body.get("stream"):
        return events(_events(body["model"], block), named=True, done=False)
    return as_json(_message(body["model"], [block], _reason(block)))


def overloaded() -> Answer:
    """Anthropic's own status and envelope."""
    error = {"type": "overloaded_error", "message": "Overloaded"}
    return as_json({"type": "error", "error": error, "request_id": "req_fixture"}, "529 Overloaded")


def _block(body: JSON) -> JSON:
    content = body["messages"][-1]["content"]
    if isinstance(content, list) and content[-1].get("type") == "tool_result":
        return {"type": "text", "text": f"Noted: {content[-1]['content']}"}
    if body.get("tools"):
        return {"type": "tool_use", "id": "toolu_1", "name": body["tools"][0]["name"], "input": TRIP}
    return {"type": "text", "text": REPLY}


def _reason(block: JSON) -> str:
    return "tool_use" if block["type"] == "tool_use" else "end_turn"


def _message(model: str, content: list[JSON], reason: str | None) -> JSON:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
    return {**message, "stop_reason": reason, "stop_sequence": None, "usage": USAGE}


def _events(model: str, block: JSON) -> Iterator[JSON]:
    yield {"type": "message_start", "message": _message(model, [], None)}
    empty = {**block, "input": {}} if block["type"] == "tool_use" else {**block, "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "ping"}
    if block["type"] == "tool_use":
        for part in (ARGUMENTS[:5], ARGUMENTS[5:]):
            delta = {"type": "input_json_delta", "partial_json": part}
            yield {"type": "content_block_delta", "index": 0, "delta": delta}
    else:
        for piece in words(block["text"]):
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
    yield {"type": "content_block_stop", "index": 0}
    end = {"stop_reason": _reason(block), "stop_sequence": None}
    yield {"type": "message_delta", "delta": end, "usage": {"output_tokens": 6}}
    yield {"type": "message_stop"}
