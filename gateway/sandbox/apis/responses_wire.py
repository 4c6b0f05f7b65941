"""The items and events of a response. Each event has a number, and the last one tells everything again."""

from collections.abc import Iterator
from typing import Any

import orjson

from gateway.sandbox.apis.api import Event
from gateway.sandbox.provider import Said
from gateway.sandbox.usage import pieces


def item_of_text(said: Said, name: str) -> dict[str, Any]:
    """A message item."""
    part = {"type": "refusal", "refusal": said.refusal} if said.refusal else _text("".join(said.tokens))
    return {"type": "message", "id": name, "status": "completed", "role": "assistant", "content": [part]}


def item_of_calls(said: Said, names: list[str]) -> list[dict[str, Any]]:
    """An item for each call; `names` are the calls' ids."""
    return [
        {
            "type": "function_call",
            "id": name.replace("call_", "fc_"),
            "call_id": name,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for call, name in zip(said.calls, names, strict=True)
    ]


def stream(response: dict[str, Any], said: Said) -> Iterator[Event]:
    """The events of a finished response."""
    begun = {**response, "status": "in_progress", "incomplete_details": None, "output": [], "usage": None}
    told: list[tuple[dict[str, Any], int]] = [
        ({"type": "response.created", "response": begun}, 0),
        ({"type": "response.in_progress", "response": begun}, said.hidden_tokens),
    ]
    for place, item in enumerate(response["output"]):
        told += _message(place, item, said) if item["type"] == "message" else _call(place, item)
    told.append(({"type": f"response.{response['status']}", "response": response}, 0))
    for number, (event, tokens) in enumerate(told):
        data = orjson.dumps({"type": event["type"], "sequence_number": number, **event})
        yield Event(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), data), tokens)


def _message(place: int, item: dict[str, Any], said: Said) -> Iterator[tuple[dict[str, Any], int]]:
    part = item["content"][0]
    refuses = part["type"] == "refusal"
    kind, field = ("refusal", "refusal") if refuses else ("output_text", "text")
    where = {"item_id": item["id"], "output_index": place, "content_index": 0}
    empty = {"type": "refusal", "refusal": ""} if refuses else _text("")
    opened = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": place, "item": opened}, 0
    yield {"type": "response.content_part.added", **where, "part": empty}, 0
    for word in pieces(part["refusal"]) if refuses else said.tokens:
        yield {"type": f"response.{kind}.delta", **where, "delta": word} | ({} if refuses else {"logprobs": []}), 1
    yield {"type": f"response.{kind}.done", **where, field: part[field]} | ({} if refuses else {"logprobs": []}), 0
    yield {"type": "response.content_part.done", **where, "part": part}, 0
    yield {"type": "response.output_item.done", "output_index": place, "item": item}, 0


def _call(place: int, item: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
    where = {"item_id": item["id"], "output_index": place}
    opened = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": place, "item": opened}, 1
    for word in pieces(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": word}, 1
    done = {"name": item["name"], "arguments": item["arguments"]}
    yield {"type": "response.function_call_arguments.done", **where, **done}, 0
    yield {"type": "response.output_item.done", "output_index": place, "item": item}, 0


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
