"""Errors that the gateway makes, in the words of the endpoint's own provider.

Sources: OpenAI API reference, "Error codes" and "Streaming events: error"; Anthropic API reference, "Errors".
"""

from typing import Any, Protocol

import orjson


class ErrorBody(Protocol):
    """Makes the body of an error."""

    def __call__(self, message: str, *, status: int, kind: str, code: str, param: str | None = None) -> bytes:
        """`kind` is OpenAI's `type`; a dialect whose types go by status takes them from `status`."""


def openai_body(message: str, *, status: int, kind: str, code: str, param: str | None = None) -> bytes:  # noqa: ARG001
    """`{"error": {"message", "type", "param", "code"}}`, all four keys."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})


def openai_event(message: str, code: str) -> bytes:
    """The event after which a stream of chat or text completions just ends; no `[DONE]` follows it."""
    return b"data: " + orjson.dumps({"error": _cut(message, code)}) + b"\n\n"


def _cut(message: str, code: str) -> dict[str, Any]:
    return {"message": message, "type": "upstream_error", "param": None, "code": code}
