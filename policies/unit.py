"""The randomised unit: which conversation a request belongs to, and where in it the request stands.

In order of precedence: the value of the policy's own header (`unit: header:X`; the request's id for `unit: request`),
the `x-evogate-session` header, and else a keyed hash of the credential, `user` and the first user message. System text
is left out, since a timestamp there would split a conversation into one unit per turn.
"""

from hashlib import blake2b
from typing import Any, NamedTuple

import orjson


class Conversation(NamedTuple):
    """A unit (16 hexadecimal digits), its user turns so far (from 1), and whether it was going on already."""

    unit: str
    turn: int
    continued: bool  # earlier answers are in the request: where it is unknown here, it was met in the middle


def identify(
    body: dict[str, Any],
    *,
    key: bytes,
    session: bytes | None,
    credential: bytes | None,
    kind: str = "conversation",
    header: bytes | None = None,
) -> Conversation:
    """The conversation of a chat request, whatever its shape.

    Args:
        body: the client's JSON; read only.
        key: secret, at most 64 bytes; keeps hashes of short texts from being guessed.
        session: value of `x-evogate-session`.
        credential: value of the client's authorization header.
        kind: the policy's `unit` setting.
        header: value of the header that `kind` names; the request's id where `kind` is "request".
    """
    messages = body.get("messages")
    turn, continued, first = _walk(messages) if type(messages) is list else (0, False, None)
    if header and kind != "conversation":
        identity = b"h" + header
    elif session:
        identity = b"s" + session
    else:
        identity = _content_identity(credential, body.get("user"), first)
    if kind == "request":
        continued = False  # each request is a unit of its own, whole when it arrives
    return Conversation(blake2b(identity, digest_size=8, key=key).hexdigest(), turn or 1, continued)


def _walk(messages: list[Any]) -> tuple[int, bool, Any]:
    """User turns, whether the assistant has spoken, and the content of the first user message."""
    turn, continued, first = 0, False, None
    for message in messages:
        if type(message) is not dict:
            continue
        role = message.get("role")
        if role == "user":
            if not turn:
                first = message.get("content")
            turn += 1
        elif role == "assistant":
            continued = True
    return turn, continued, first


def _content_identity(credential: bytes | None, user: Any, first: Any) -> bytes:
    who = credential or b""
    return b"c%d:%b%b\x00%b" % (len(who), who, _bytes(user), _bytes(first))


def _bytes(value: Any) -> bytes:
    """A value as bytes: text as it is (the usual case), anything else as JSON."""
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass")
    try:
        return b"" if value is None else b"\x01" + orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested deeper than orjson writes; the provider will refuse it anyway
        return b"\x02"
