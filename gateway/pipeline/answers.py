"""Answers and error events that the gateway makes itself."""

from gateway.http.errors import UpstreamError
from gateway.http.framing import envelope
from gateway.http.messages import Headers

JSON_TYPE = (b"content-type", b"application/json")

_STATUS = {
    "timeout_connect": 504,
    "timeout_first_byte": 504,
    "timeout_idle": 504,
    "timeout_total": 504,
    "overloaded": 503,
}


def made_here(reason: str, request_id: str) -> Headers:
    """The header fields of an error that is not the provider's."""
    return [JSON_TYPE, (b"x-evogate-error", reason.encode()), (b"x-evogate-request-id", request_id.encode())]


def upstream_error(error: UpstreamError) -> tuple[int, bytes]:
    """Status and body for a call that failed."""
    return _STATUS.get(error.kind, 502), envelope(str(error), "upstream_error", None, error.kind)


def error_event(message: str, code: str) -> bytes:
    """The server-sent event that ends a failed stream; no `[DONE]` follows it."""
    return b"data: " + envelope(message, "upstream_error", None, code) + b"\n\n"


def refusal(message: str, code: str, *, status: int = 502, param: str | None = None) -> bytes:
    """The body of an error that is the gateway's own."""
    kind = "invalid_request_error" if 400 <= status < 500 else "gateway_error"
    return envelope(message, kind, param, code)
