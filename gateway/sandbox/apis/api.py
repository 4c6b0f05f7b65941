"""What differs between endpoints that answer with text."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from gateway.sandbox.provider import Completion


class Event(NamedTuple):
    """One server-sent event, and how many output tokens it took to come to it."""

    data: bytes
    tokens: int


class Api(Protocol):
    """One endpoint. `stream_error` is the event that ends a stream which fails on purpose."""

    path: str
    stream_error: bytes

    def as_chat(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request as a chat request.

        Raises:
            RefusedError: it is not of this endpoint's shape.
        """

    def whole(self, body: Mapping[str, Any], completion: Completion, created: int) -> bytes:
        """The answer to `body` in one piece. `created` is in Unix seconds."""

    def events(self, body: Mapping[str, Any], completion: Completion, created: int) -> list[Event]:
        """The same as a stream, its terminator last."""

    def envelope(self, message: str, *, status: int, param: str | None = None, code: str | None = None) -> bytes:
        """The body of an error."""
