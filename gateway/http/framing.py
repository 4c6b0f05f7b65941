"""Bytes of HTTP/1.1 messages: heads, chunks, which headers travel on, error bodies. No I/O, no state.

Rules (RFC 9110 section 7.6.1, RFC 9112 sections 6 and 7):

1. Framing belongs to one connection: `Connection`, `Transfer-Encoding` and their kin are made here, never relayed.
2. All other headers keep their order, case and bytes. `Content-Length` keeps its place when the length is known.
3. A message whose length is unknown is chunked; for an HTTP/1.0 client it ends with the connection.
"""

from http import HTTPStatus

import orjson

Headers = list[tuple[bytes, bytes]]  # order and case as received

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_OWNED = frozenset({b"connection", b"transfer-encoding", b"keep-alive"})
_OWNED_SIZES = frozenset(map(len, _OWNED))
_REPLACED = _OWNED | {b"host"}
_REPLACED_SIZES = frozenset(map(len, _REPLACED))
_HOPS: dict[bytes, bool] = {}
_SPELLINGS_KEPT = 4096
_NAMES_NOTHING = frozenset({b"keep-alive", b"close"})  # values of `Connection` that name no header
_STATUS_LINES = {s.value: b"HTTP/1.1 %d %b\r\n" % (s.value, s.phrase.encode()) for s in HTTPStatus}


def end_to_end(headers: Headers) -> Headers:
    """The headers that travel on through a proxy; `Host` and `Content-Length` stay, Pool and Reply correct them."""
    kept = []
    named: set[bytes] = set()
    for pair in headers:
        hops = _HOPS.get(pair[0])
        if hops is None:
            hops = _hops(pair[0])
        if not hops:
            kept.append(pair)
        elif pair[1] not in _NAMES_NOTHING and pair[0].lower() == b"connection":
            named.update(token.strip().lower() for token in pair[1].split(b","))
    return [pair for pair in kept if pair[0].lower() not in named] if named else kept


def _hops(name: bytes) -> bool:
    """Whether a header of that spelling is hop-by-hop; remembered, in a table that clients can't grow without end."""
    hops = name.lower() in HOP_BY_HOP
    if len(_HOPS) < _SPELLINGS_KEPT:
        _HOPS[name] = hops
    return hops


def find(headers: Headers, lowercase_name: bytes) -> bytes | None:
    """The first value of a header, None where it is absent."""
    size = len(lowercase_name)
    for name, value in headers:
        if len(name) == size and name.lower() == lowercase_name:
            return value
    return None


def content_length(headers: Headers) -> int | None:
    """The declared length of a parsed message's body in bytes, None where it declares none."""
    value = find(headers, b"content-length")
    return int(value) if value is not None and value.isdigit() else None


def has_no_body(status: int) -> bool:
    """Whether a response of this status never has a body, whatever its headers say."""
    return status in {204, 304} or status < 200


def response_head(status: int, headers: Headers, *, length: int | None, extra: bytes = b"") -> bytes:
    """Status line and headers. `length` None leaves `Content-Length` out; `extra` is lines of the connection's own."""
    line = _STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + _fields(headers, length, _OWNED, _OWNED_SIZES) + extra + b"\r\n"


def request_head(method: bytes, path: bytes, host: bytes, headers: Headers, *, length: int | None) -> bytes:
    """Request line and headers, with the upstream's own `Host`. `length` None: no body and none declared."""
    line = b"%b %b HTTP/1.1\r\nHost: %b\r\n" % (method, path, host)
    return line + _fields(headers, length, _REPLACED, _REPLACED_SIZES) + b"\r\n"


def _fields(headers: Headers, length: int | None, left_out: frozenset[bytes], sizes: frozenset[int]) -> bytes:
    """Header lines with a corrected `Content-Length`. The size test spares lower-casing nearly every name."""
    parts = []
    declared = None if length is None else b"%d" % length
    for name, value in headers:
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            if declared is not None:
                parts.append(b"%b: %b\r\n" % (name, declared))
                declared = None
        elif size not in sizes or name.lower() not in left_out:
            parts.append(b"%b: %b\r\n" % (name, value))
    if declared is not None:
        parts.append(b"Content-Length: %b\r\n" % declared)
    return b"".join(parts)


def chunk(data: bytes) -> bytes:
    """One chunk. Empty data gives no bytes at all, because an empty chunk would end the message."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def envelope(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error body in OpenAI's shape, with all four keys."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
