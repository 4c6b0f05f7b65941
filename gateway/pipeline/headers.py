"""Which header fields go up. What comes down is `gateway.http.framing.end_to_end`, untouched.

1. `x-evogate-*` is between the client and the gateway: none of it reaches a provider.
2. An upstream with a key of its own never sees the client's credential.
3. Everything else passes, in order and in the case received; the pool writes `Host` and `Content-Length`.
"""

from typing import Final, Literal

from gateway.http.framing import HOP_BY_HOP, block, end_to_end, find
from gateway.http.messages import Headers, Request
from gateway.pipeline.routes import Route
from policies.kinds import Field

Kind = Literal["plain", "ours", "credential", "coding", "hop"]

_OURS: Final = b"x-evogate-"
_CREDENTIALS: Final = frozenset({b"authorization", b"api-key", b"x-api-key"})
_CODING: Final = b"accept-encoding"
_IDENTITY: Final = (b"accept-encoding", b"identity")
_KINDS: Final[dict[bytes, Kind]] = {}
_NAMES_KEPT: Final = 4096  # names are the clients' choice, so the cache is bounded


def _kind(name: bytes) -> Kind:
    lower = name.lower()
    kind: Kind = "plain"
    if lower.startswith(_OURS):
        kind = "ours"
    elif lower in _CREDENTIALS:
        kind = "credential"
    elif lower in HOP_BY_HOP:
        kind = "hop"
    elif lower == _CODING:
        kind = "coding"
    if len(_KINDS) < _NAMES_KEPT:
        _KINDS[name] = kind
    return kind


def block_for(request: Request, route: Route, *, readable: bool) -> bytes:
    """The fields to send up with a request, as bytes; made once for all requests of the same head."""
    key = (route, readable)
    found: bytes | None = request.memo.get(key)
    if found is None:
        found = block(upward(request.headers, route.credential, route.address.version, readable=readable))
        request.memo[key] = found
    return found


def upward(headers: Headers, credential: Field | None, version: Field | None = None, *, readable: bool) -> Headers:
    """The fields to send up.

    Args:
        headers: the client's.
        credential: the upstream's own key, in place of the client's.
        version: the upstream's own, where the client names none.
        readable: ask for an answer without content coding, because the gateway reads it.
    """
    kinds = _KINDS
    kept: Headers = []
    for pair in headers:
        kind = kinds.get(pair[0]) or _kind(pair[0])
        if kind == "hop":  # it may name further ones: the thorough way
            return upward(end_to_end(headers), credential, version, readable=readable)
        if kind == "plain" or (kind == "credential" and credential is None) or (kind == "coding" and not readable):
            kept.append(pair)
    if credential is not None:
        kept.append(credential)
    if version is not None and find(headers, version[0]) is None:
        kept.append(version)
    if readable:
        kept.append(_IDENTITY)
    return kept
