"""Chat completions: what all other endpoints are turned into."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.sandbox.apis.api import Event
from gateway.sandbox.draws import digest
from gateway.sandbox.provider import Completion, Said
from gateway.sandbox.requests import check_chat, envelope
from gateway.sandbox.usage import pieces

FINGERPRINT = "fp_sandbox"
DONE = b"data: [DONE]\n\n"


class ChatApi:
    """POST /v1/chat/completions."""

    path = "/v1/chat/completions"
    stream_error = b"data: " + envelope("The server had an error while processing your request.", status=500) + b"\n\n"
    envelope = staticmethod(envelope)

    def as_chat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Api`."""
        check_chat(body)
        return body

    def whole(self, body: Mapping[str, Any], completion: Completion, created: int) -> bytes:  # noqa: ARG002
        """See `Api`."""
        return _body(completion, created)

    def events(self, body: Mapping[str, Any], completion: Completion, created: int) -> list[Event]:
        """See `Api`. Where usage is asked for, the event before the last has no choices."""
        return list(_events(completion, created, include_usage=wants_usage(body)))


CHAT = ChatApi()


def wants_usage(body: Mapping[str, Any]) -> bool:
    """Whether a stream is to tell its usage."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _body(completion: Completion, created: int) -> bytes:
    """The `chat.completion` object. `created` is in Unix seconds."""
    value: dict[str, Any] = {
        "id": completion.id,
        "object": "chat.completion",
        "created": created,
        "model": completion.model,
        "choices": [_choice(completion, index, said) for index, said in enumerate(completion.said)],
        "system_fingerprint": FINGERPRINT,
    }
    if completion.usage is not None:
        value["usage"] = completion.usage.to_json()
    return orjson.dumps(value)


def _choice(completion: Completion, index: int, said: Said) -> dict[str, Any]:
    silent = bool(said.calls or said.refusal) and not said.tokens
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent else "".join(said.tokens),
        "refusal": said.refusal,
    }
    if said.calls:
        message["tool_calls"] = [
            {
                "id": call_id(completion, index, place),
                "type": "function",
                "function": {"name": c.name, "arguments": c.arguments},
            }
            for place, c in enumerate(said.calls)
        ]
    return {"index": index, "message": message, "logprobs": None, "finish_reason": said.finish_reason}


def _events(completion: Completion, created: int, *, include_usage: bool) -> Iterator[Event]:
    """The `chat.completion.chunk` events, `[DONE]` last. With `include_usage` the one before it has no choices."""
    head = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": completion.model,
        "system_fingerprint": FINGERPRINT,
    }
    if include_usage:
        head["usage"] = None
    opening = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['
    for index, said in enumerate(completion.said):
        yield from _said_events(completion, index, said, opening)
    if include_usage and completion.usage is not None:
        last = {**head, "choices": [], "usage": completion.usage.to_json()}
        yield Event(b"data: " + orjson.dumps(last) + b"\n\n", 0)
    yield Event(DONE, 0)


def _said_events(completion: Completion, index: int, said: Said, opening: bytes) -> Iterator[Event]:
    start = opening + b'{"index":%d,"delta":' % index
    end = b',"logprobs":null,"finish_reason":null}]}\n\n'

    def event(delta: dict[str, Any], tokens: int) -> Event:
        return Event(start + orjson.dumps(delta) + end, tokens)

    yield event({"role": "assistant", "content": None if said.calls else "", "refusal": None}, said.hidden_tokens)
    for token in said.tokens:
        yield event({"content": token}, 1)
    for token in pieces(said.refusal or ""):
        yield event({"refusal": token}, 1)
    for place, call in enumerate(said.calls):
        function = {"name": call.name, "arguments": ""}
        named = {"index": place, "id": call_id(completion, index, place), "type": "function", "function": function}
        yield event({"tool_calls": [named]}, 1)
        for part in pieces(call.arguments):
            yield event({"tool_calls": [{"index": place, "function": {"arguments": part}}]}, 1)
    finish = orjson.dumps(said.finish_reason)
    yield Event(start + b'{},"logprobs":null,"finish_reason":' + finish + b"}]}\n\n", 0)


def call_id(completion: Completion, index: int, place: int) -> str:
    """The name of a tool call, the same at every endpoint."""
    return f"call_{digest(completion.id, index, place).hex()[:24]}"
