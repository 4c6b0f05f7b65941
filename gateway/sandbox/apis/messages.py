"""POST /v1/messages, as Anthropic serves it."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.sandbox.apis.api import Event
from gateway.sandbox.apis.chat import call_id
from gateway.sandbox.families.base import loads_object
from gateway.sandbox.provider import Completion, Said
from gateway.sandbox.requests import RefusedError, check_chat
from gateway.sandbox.usage import pieces

_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


def _envelope(message: str, *, status: int, param: str | None = None, code: str | None = None) -> bytes:  # noqa: ARG001
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`, the type by status."""
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": None})


class MessagesApi:
    """See `Api`."""

    path = "/v1/messages"
    stream_error = b"event: error\ndata: " + _envelope("Overloaded", status=503) + b"\n\n"
    envelope = staticmethod(_envelope)

    def as_chat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Api`."""
        if not isinstance(body.get("max_tokens"), int):
            raise RefusedError("max_tokens: Field required", param="max_tokens")
        if not isinstance(body.get("messages"), list):
            raise RefusedError("messages: Field required", param="messages")
        system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        same = {name: body[name] for name in ("model", "max_tokens", "temperature", "top_p", "stream") if name in body}
        chat = {**same, "messages": [*system, *(m for message in body["messages"] for m in _as_chat(message))]}
        if body.get("tools"):
            chat |= {"tools": [_tool(tool) for tool in body["tools"]], "tool_choice": _choice(body.get("tool_choice"))}
        if body.get("stop_sequences"):
            chat["stop"] = body["stop_sequences"]
        wanted = (body.get("output_config") or {}).get("format") or {}
        if wanted.get("type") == "json_schema":
            chat["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": wanted.get("schema") or {}},
            }
        check_chat(chat)
        return chat

    def whole(self, body: Mapping[str, Any], completion: Completion, created: int) -> bytes:  # noqa: ARG002
        """See `Api`."""
        said = completion.said[0]
        text = "".join(said.tokens) or said.refusal
        content: list[dict[str, Any]] = [{"type": "text", "text": text}] if text else []
        for place, call in enumerate(said.calls):
            given = loads_object(call.arguments) or {}
            content.append({"type": "tool_use", "id": _id(completion, place), "name": call.name, "input": given})
        message = {**_head(completion), "content": content, "stop_reason": _reason(said)}
        return orjson.dumps(message | {"usage": _usage(completion)})

    def events(self, body: Mapping[str, Any], completion: Completion, created: int) -> list[Event]:  # noqa: ARG002
        """See `Api`."""
        return list(_events(completion))


def _as_chat(message: Any) -> Iterator[Any]:
    """One message as chat has it: tool results are messages of their own there, calls stand beside the text."""
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        yield message
        return
    blocks = [block for block in message["content"] if isinstance(block, dict)]
    for block in blocks:
        if block.get("type") == "tool_result":
            yield {"role": "tool", "tool_call_id": block.get("tool_use_id"), "content": block.get("content") or ""}
    rest = [block for block in blocks if block.get("type") in ("text", "image", "document")]
    calls = [
        {
            "id": block.get("id"),
            "type": "function",
            "function": {"name": block.get("name"), "arguments": orjson.dumps(block.get("input")).decode()},
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    if rest or calls:
        yield {"role": message.get("role"), "content": rest} | ({"tool_calls": calls} if calls else {})


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise RefusedError("tools.0.name: Field required", param="tools")
    return {"type": "function", "function": {"name": tool["name"], "parameters": tool.get("input_schema") or {}}}


def _choice(choice: Any) -> Any:
    if not isinstance(choice, dict):
        return "auto"
    if choice.get("type") == "tool":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return _CHOICES.get(choice.get("type", ""), "auto")


def _head(completion: Completion) -> dict[str, Any]:
    return {
        "id": completion.id.replace("chatcmpl-", "msg_"),
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "stop_sequence": None,
    }


def _id(completion: Completion, place: int) -> str:
    return call_id(completion, 0, place).replace("call_", "toolu_")


def _reason(said: Said) -> str:
    return "refusal" if said.refusal else _REASONS.get(said.finish_reason, said.finish_reason)


def _usage(completion: Completion) -> dict[str, int]:
    usage = completion.usage
    if usage is None:
        return {}
    return {
        "input_tokens": usage.prompt - usage.cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached,
        "output_tokens": usage.completion,
    }


def _events(completion: Completion) -> Iterator[Event]:
    said, usage = completion.said[0], _usage(completion)
    begun = usage | ({"output_tokens": 1} if usage else {})
    head = {**_head(completion), "content": [], "stop_reason": None, "usage": begun}
    yield _event("message_start", said.hidden_tokens, message=head)
    index = 0
    words = said.tokens or pieces(said.refusal or "")
    if words:
        yield from _block(index, {"type": "text", "text": ""}, "text_delta", "text", words)
        index += 1
    for place, call in enumerate(said.calls):
        block = {"type": "tool_use", "id": _id(completion, place), "name": call.name, "input": {}}
        yield from _block(index, block, "input_json_delta", "partial_json", pieces(call.arguments))
        index += 1
    delta = {"stop_reason": _reason(said), "stop_sequence": None}
    spent = {"output_tokens": usage["output_tokens"]} if usage else {}
    yield _event("message_delta", 0, delta=delta, usage=spent)
    yield _event("message_stop", 0)


def _block(index: int, block: dict[str, Any], kind: str, field: str, words: list[str]) -> Iterator[Event]:
    yield _event("content_block_start", 0, index=index, content_block=block)
    for word in words:
        yield _event("content_block_delta", 1, index=index, delta={"type": kind, field: word})
    yield _event("content_block_stop", 0, index=index)


def _event(kind: str, tokens: int, **fields: Any) -> Event:
    return Event(b"event: %b\ndata: %b\n\n" % (kind.encode(), orjson.dumps({"type": kind, **fields})), tokens)
