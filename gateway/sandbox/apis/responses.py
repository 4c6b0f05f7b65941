"""POST /v1/responses, with answers that later requests may go on from."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from gateway.sandbox.apis.api import Event
from gateway.sandbox.apis.chat import call_id
from gateway.sandbox.apis.responses_wire import item_of_calls, item_of_text, stream
from gateway.sandbox.provider import Completion
from gateway.sandbox.requests import RefusedError, check_chat, envelope

_STORED = 4_096
_FAILED = {
    "type": "error",
    "code": "server_error",
    "message": "The server had an error while processing your request.",
    "param": None,
    "sequence_number": 0,
}
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
Messages = list[Any]


class ResponsesApi:
    """See `Api`. Remembers what was said, the oldest is forgotten."""

    path = "/v1/responses"
    stream_error = b"event: error\ndata: " + orjson.dumps(_FAILED) + b"\n\n"
    envelope = staticmethod(envelope)

    def __init__(self) -> None:
        self._stored: dict[str, Messages] = {}

    def as_chat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Api`."""
        told = body.get("instructions")
        system = [{"role": "system", "content": told}] if told else []
        chat = {name: body[name] for name in ("model", "temperature", "top_p", "stream", "user") if name in body}
        chat["messages"] = [*system, *self._said(body)]
        if body.get("max_output_tokens") is not None:
            chat["max_tokens"] = body["max_output_tokens"]
        if body.get("tools"):
            chat |= {"tools": [_tool(tool) for tool in body["tools"]], "tool_choice": _choice(body.get("tool_choice"))}
        wanted = (body.get("text") or {}).get("format") or {}
        if wanted.get("type") == "json_schema":
            chat["response_format"] = {"type": "json_schema", "json_schema": wanted}
        elif wanted:
            chat["response_format"] = wanted
        check_chat(chat)
        return chat

    def whole(self, body: Mapping[str, Any], completion: Completion, created: int) -> bytes:
        """See `Api`."""
        return orjson.dumps(self._response(body, completion, created))

    def events(self, body: Mapping[str, Any], completion: Completion, created: int) -> list[Event]:
        """See `Api`."""
        return list(stream(self._response(body, completion, created), completion.said[0]))

    def _response(self, body: Mapping[str, Any], completion: Completion, created: int) -> dict[str, Any]:
        """The finished response, remembered unless the client says no."""
        said = completion.said[0]
        name = completion.id.removeprefix("chatcmpl-")
        output = [item_of_text(said, f"msg_{name}")] if said.tokens or said.refusal else []
        output += item_of_calls(said, [call_id(completion, 0, place) for place in range(len(said.calls))])
        if body.get("store") is not False:
            self._keep(body, f"resp_{name}", output)
        reason = _REASONS.get(said.finish_reason)
        given = (
            "instructions",
            "max_output_tokens",
            "metadata",
            "previous_response_id",
            "temperature",
            "top_p",
            "user",
        )
        return {
            **{field: body.get(field) for field in given},
            "id": f"resp_{name}",
            "object": "response",
            "created_at": created,
            "status": "incomplete" if reason else "completed",
            "error": None,
            "incomplete_details": {"reason": reason} if reason else None,
            "model": completion.model,
            "output": output,
            "parallel_tool_calls": True,
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": body.get("tool_choice") or "auto",
            "tools": body.get("tools") or [],
            "usage": _usage(completion),
        }

    def _said(self, body: Mapping[str, Any]) -> Messages:
        """The conversation so far, with the request's own turns last."""
        parent = body.get("previous_response_id")
        if parent is not None and parent not in self._stored:
            raise RefusedError(
                f"Previous response with id '{parent}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        earlier = self._stored.get(parent or _conversation(body), [])
        sent = body.get("input")
        if isinstance(sent, str):
            return [*earlier, {"role": "user", "content": sent}]
        if not isinstance(sent, list):
            raise RefusedError("'input' must be a string or an array of items.", param="input", code="invalid_type")
        return [*earlier, *(message for item in sent for message in _as_chat(item))]

    def _keep(self, body: Mapping[str, Any], name: str, output: list[dict[str, Any]]) -> None:
        said = [*self._said(body), *(message for item in output for message in _as_chat(item))]
        for known in filter(None, (name, _conversation(body))):
            self._stored.pop(known, None)
            self._stored[known] = said
        while len(self._stored) > _STORED:
            del self._stored[next(iter(self._stored))]


RESPONSES = ResponsesApi


def _conversation(body: Mapping[str, Any]) -> str:
    conversation = body.get("conversation")
    name = conversation.get("id") if isinstance(conversation, dict) else conversation
    return name if isinstance(name, str) else ""


def _as_chat(item: Any) -> Iterator[Any]:
    """One item as chat has it; reasoning and the like are nothing there."""
    kind = item.get("type", "message") if isinstance(item, dict) else "message"
    if kind == "message":
        yield item
    elif kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        yield {"role": "assistant", "content": None, "tool_calls": [call]}
    elif kind == "function_call_output":
        yield {"role": "tool", "tool_call_id": item.get("call_id"), "content": item.get("output") or ""}


def _tool(tool: Any) -> dict[str, Any]:
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        raise RefusedError("Missing required parameter: 'tools[0].name'.", param="tools[0].name")
    return {"type": "function", "function": {"name": tool["name"], "parameters": tool.get("parameters") or {}}}


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice or "auto"


def _usage(completion: Completion) -> dict[str, Any] | None:
    usage = completion.usage
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }
