"""/v1/responses. Source: OpenAI API reference, "Responses" and "Streaming events"."""

from collections.abc import Iterator
from typing import Any

from tests.conformance.provider.framing import ARGUMENTS, REPLY, as_json, events, words
from tests.faults.upstream import Answer

JSON = dict[str, Any]
USAGE: JSON = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 6,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}


def answer(body: JSON) -> Answer:
    """A function call where there are tools and none was called yet, JSON where a format is given, else a sentence."""
    item = _item(body)
    if body.get("stream"):
        numbered = ({**event, "sequence_number": n} for n, event in enumerate(_events(body, item)))
        return events(numbered, named=True, done=False)
    return as_json(_response(body, [item], "completed"))


def _item(body: JSON) -> JSON:
    given = body["input"]
    answered = isinstance(given, list) and given[-1].get("type") == "function_call_output"
    if body.get("tools") and not answered:
        name = body["tools"][0]["name"]
        call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "status": "completed"}
        return {**call, "name": name, "arguments": ARGUMENTS}
    wanted = ((body.get("text") or {}).get("format") or {}).get("type") == "json_schema"
    said = f"Noted: {given[-1]['output']}" if answered else ARGUMENTS if wanted else REPLY
    content = [{"type": "output_text", "text": said, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def _response(body: JSON, output: list[JSON], status: str) -> JSON:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": USAGE if status == "completed" else None,
        "previous_response_id": body.get("previous_response_id"),
    }


def _events(body: JSON, item: JSON) -> Iterator[JSON]:
    at = {"output_index": 0, "item_id": item["id"]}
    yield {"type": "response.created", "response": _response(body, [], "in_progress")}
    if item["type"] == "function_call":
        yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}}
        for part in (ARGUMENTS[:5], ARGUMENTS[5:]):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": part}
        yield {"type": "response.function_call_arguments.done", **at, "name": item["name"], "arguments": ARGUMENTS}
    else:
        yield from _said(item, {**at, "content_index": 0})
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": _response(body, [item], "completed")}


def _said(item: JSON, at: JSON) -> Iterator[JSON]:
    (part,) = item["content"]
    yield {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}
    yield {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}
    for piece in words(part["text"]):
        yield {"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []}
    yield {"type": "response.content_part.done", **at, "part": part}
