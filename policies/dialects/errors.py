"""Errors that the gateway makes, in the words of the endpoint's own provider.

Sources: OpenAI API reference, "Error codes" and "Streaming events: error"; Anthropic API reference, "Errors".
"""

from typing import Any, Protocol

import orjson

_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


class ErrorBody(Protocol):
    """Makes the body of an error."""

    def __call__(self, message: str, *, status: int, kind: str, code: str, param: str | None = None) -> bytes:
        """`kind` is the `type` where the provider's own does not follow from the status."""


class ErrorEvent(Protocol):
    """Makes the event that ends a broken stream."""

    def __call__(self, message: str, code: str, sequence: int = 0) -> bytes:
        """`sequence` is the event's number where the endpoint numbers them; see `EventReader.sequence`."""


def openai_body(message: str, *, status: int, kind: str, code: str, param: str | None = None) -> bytes:  # noqa: ARG001
    """`{"error": {"message", "type", "param", "code"}}`, all four keys."""
    return orjson.dumps({"error": _openai(message, kind, code, param)})


def anthropic_body(message: str, *, status: int, kind: str, code: str, param: str | None = None) -> bytes:  # noqa: ARG001
    """`{"type": "error", "error": {"type", "message"}}`, the type by status."""
    fallback = "invalid_request_error" if 400 <= status < 500 else "api_error"
    return _anthropic(message, _ANTHROPIC_TYPES.get(status, fallback))


def completions_event(message: str, code: str, sequence: int = 0) -> bytes:  # noqa: ARG001
    """The event after which a stream of chat or text completions just ends; no `[DONE]` follows it."""
    return b"data: " + orjson.dumps({"error": _openai(message, "upstream_error", code, None)}) + b"\n\n"


def responses_event(message: str, code: str, sequence: int = 0) -> bytes:
    """An `error` event. It holds `error` as well, for that is what the official client raises at."""
    event = {"type": "error", "code": code, "message": message, "param": None, "sequence_number": sequence}
    error = _openai(message, "upstream_error", code, None)
    return b"event: error\ndata: " + orjson.dumps({**event, "error": error}) + b"\n\n"


def messages_event(message: str, code: str, sequence: int = 0) -> bytes:  # noqa: ARG001
    """An `error` event; no `message_stop` follows it."""
    return b"event: error\ndata: " + _anthropic(message, "api_error") + b"\n\n"


def _openai(message: str, kind: str, code: str, param: str | None) -> dict[str, Any]:
    return {"message": message, "type": kind, "param": param, "code": code}


def _anthropic(message: str, kind: str) -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})
