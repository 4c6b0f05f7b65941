"""Bytes of HTTP/1.1 messages: heads, chunks, which headers travel on, error bodies. No I/O, no state.

Rules (RFC 9110 section 7.6.1, RFC 9112 sections 6 and 7):

1. Framing belongs to one connection: `Connection`, `Transfer-Encoding` and their kin are made here, never relayed.
2. All other headers keep their order, case and bytes. `Content-Length` keeps its place when the length is known.
3. A message whose length is unknown is chunked; for an HTTP/1.0 client it ends with the connection.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Final

import orjson

Headers = list[tuple[bytes, bytes]]  # order and case as received

HOP_BY_HOP: Final = frozenset(
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
LAST_CHUNK: Final = b"0\r\n\r\n"
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
CLOSE: Final = b"Connection: close"
KEEP_ALIVE: Final = b"Connection: keep-alive"
CHUNKED: Final = b"Transfer-Encoding: chunked"

# What a header means to a proxy; those below HOP travel on.
PLAIN: Final = 0
TYPE: Final = 1
LENGTH: Final = 2
HOST: Final = 3
HOP: Final = 4
CODING: Final = 5
CONNECTION: Final = 6
_SPECIAL: Final = {
    **dict.fromkeys(HOP_BY_HOP, HOP),
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"content-type": TYPE,
    b"host": HOST,
    b"transfer-encoding": CODING,
}
_KINDS: Final[dict[bytes, int]] = {}  # by spelling: a look-up costs less than lower-casing and comparing
_SPELLINGS_KEPT: Final = 4096
_NAMES_NOTHING: Final = frozenset({b"keep-alive", b"close"})  # values of `Connection` that name no header
_STATUS_LINES: Final = {s.value: b"HTTP/1.1 %d %b" % (s.value, s.phrase.encode()) for s in HTTPStatus}


def _kind_of(name: bytes) -> int:
    """The kind of a spelling not met before; remembered, in a table that clients can't grow without end."""
    kind = _SPECIAL.get(name.lower(), PLAIN)
    if len(_KINDS) < _SPELLINGS_KEPT:
        _KINDS[name] = kind
    return kind


def survey(headers: Headers) -> tuple[Headers, bytes, bytes | None, bytes]:
    """What one walk over a parsed message's headers finds.

    The headers that travel on (`Host` and `Content-Length` stay, Pool and Reply correct them), the content type (empty
    where absent), the declared length, and the transfer coding (empty where absent).
    """
    kept = []
    content_type = coding = b""
    length: bytes | None = None
    named: set[bytes] = set()
    for pair in headers:
        kind = _KINDS.get(pair[0])
        if kind is None:
            kind = _kind_of(pair[0])
        if kind < HOP:
            kept.append(pair)
            if kind == TYPE:
                content_type = pair[1]
            elif kind == LENGTH:
                length = pair[1]
        elif kind == CONNECTION and pair[1] not in _NAMES_NOTHING:
            named |= _named_by(pair[1])
        elif kind == CODING:
            coding = pair[1]
    return _without(kept, named) if named else kept, content_type, length, coding


def end_to_end(headers: Headers) -> Headers:
    """The headers that travel on through a proxy."""
    kept = []
    named: set[bytes] = set()
    for pair in headers:
        kind = _KINDS.get(pair[0])
        if kind is None:
            kind = _kind_of(pair[0])
        if kind < HOP:
            kept.append(pair)
        elif kind == CONNECTION and pair[1] not in _NAMES_NOTHING:
            named |= _named_by(pair[1])
    return _without(kept, named) if named else kept


def _named_by(connection: bytes) -> set[bytes]:
    """The headers, in lower case, that a `Connection` header declares to be hop-by-hop."""
    return {token.strip().lower() for token in connection.split(b",")}


def _without(headers: Headers, lowercase_names: set[bytes]) -> Headers:
    return [pair for pair in headers if pair[0].lower() not in lowercase_names]


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


def response(
    status: int, headers: Headers, *, length: int | None, extra: Iterable[bytes] = (), body: bytes = b""
) -> bytes:
    """Status line, headers, and the body's bytes if they are at hand.

    `length` None leaves `Content-Length` out; `extra` is lines of the connection's own, without their ends.
    """
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d " % status]
    _add_fields(lines, headers, length, host=True)
    lines.extend(extra)
    lines.append(b"")
    lines.append(body)
    return b"\r\n".join(lines)


def request(
    method: bytes, target: bytes, own: bytes, headers: Headers | bytes, *, length: int | None, body: bytes = b""
) -> bytes:
    """Request line, the header lines of our own (`Host` first), headers (or the `block` of them), and the body.

    `length` None: no body and none declared.
    """
    if not isinstance(headers, bytes):
        lines = [b"%b %b HTTP/1.1\r\n%b" % (method, target, own)]
        _add_fields(lines, headers, length, host=False)
        lines += (b"", body)
        return b"\r\n".join(lines)
    if length is None:
        return b"%b %b HTTP/1.1\r\n%b\r\n%b\r\n" % (method, target, own, headers)
    parts = (method, target, own, headers, length, body)
    return b"%b %b HTTP/1.1\r\n%b\r\n%bContent-Length: %d\r\n\r\n%b" % parts


def block(headers: Headers) -> bytes:
    """Header lines for `request`, to be made once and used often; without `Host` and `Content-Length`."""
    lines: list[bytes] = []
    _add_fields(lines, headers, None, host=False)
    return b"".join([line + b"\r\n" for line in lines])


def _add_fields(lines: list[bytes], headers: Headers, length: int | None, *, host: bool) -> None:
    """Header lines, with a corrected `Content-Length` and without what belongs to a connection."""
    for pair in headers:
        kind = _KINDS.get(pair[0])
        if kind is None:
            kind = _kind_of(pair[0])
        if kind < LENGTH or (kind == HOST and host):
            lines.append(b": ".join(pair))
        elif kind == LENGTH and length is not None:
            lines.append(b"%b: %d" % (pair[0], length))
            length = None
    if length is not None:
        lines.append(b"Content-Length: %d" % length)


def chunk(data: bytes) -> bytes:
    """One chunk. Empty data gives no bytes at all, because an empty chunk would end the message."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def envelope(message: str, kind: str, param: str | None = None, code: str | None = None) -> bytes:
    """An error body in OpenAI's shape, with all four keys."""
    return orjson.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}})
