"""Answers and error events that the gateway makes itself."""

import math
from typing import Final

from gateway.http.framing import envelope
from gateway.http.messages import Headers
from gateway.pipeline.failures import Failure
from gateway.pipeline.reading import JSON_TYPE
from policies.dialects import Dialect

__all__ = ["CREDENTIALS", "EVENT_STREAM", "JSON_TYPE", "made_here", "of_failure", "refusal"]

EVENT_STREAM: Final[Headers] = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
CREDENTIALS: Final = (b"authorization", b"x-api-key", b"api-key")
_NO_RETRY: Final = (b"x-should-retry", b"false")


def made_here(reason: str, request_id: str) -> Headers:
    """The header fields of an error that is not the provider's."""
    return [JSON_TYPE, (b"x-evogate-error", reason.encode()), (b"x-evogate-request-id", request_id.encode())]


def of_failure(failure: Failure, dialect: Dialect, request_id: str, *, repeated: bool) -> tuple[Headers, bytes]:
    """Header fields and body for a client that has nothing yet.

    After attempts of ours the client's library need not make its own: `x-should-retry`, which the official ones obey.
    """
    extra: Headers = [_NO_RETRY] if repeated else []
    if failure.body is not None:
        if failure.reason:
            extra.append((b"x-evogate-error", failure.reason.encode()))
        return [*failure.headers, *extra], failure.body
    if failure.retry_after_s is not None:
        extra.append((b"retry-after", b"%d" % math.ceil(failure.retry_after_s)))
    body = dialect.error_body(failure.message, status=failure.status, kind="upstream_error", code=failure.reason)
    return [*made_here(failure.reason, request_id), *extra], body


def refusal(message: str, code: str, *, status: int = 502, param: str | None = None) -> bytes:
    """The body of an error that is the gateway's own."""
    kind = "invalid_request_error" if 400 <= status < 500 else "gateway_error"
    return envelope(message, kind, param, code)
