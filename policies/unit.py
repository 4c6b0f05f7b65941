"""The randomised unit: which conversation a request belongs to, and where in it the request stands.

In order of precedence: the value of the policy's own header (`unit: header:X`; the request's id for `unit: request`),
the `x-evogate-session` header, the stored answer or conversation that the request goes on from, and else a keyed hash
of the credential, the user's name and the first user message. System text is left out, since a timestamp there would
split a conversation into one unit per turn.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from policies.keyed import keyed
from policies.render.chat import chat_turns
from policies.render.turns import Turns


@dataclass(slots=True, init=False)  # its `__init__` is written out to be native where compiled
class Conversation:
    """A unit (16 hexadecimal digits), its user turns so far (from 1), and whether it was going on already."""

    unit: str
    turn: int
    continued: bool  # earlier answers are in the request: where it is unknown here, it was met in the middle

    def __init__(self, unit: str, turn: int, continued: bool) -> None:
        self.unit = unit
        self.turn = turn
        self.continued = continued


class Store(Protocol):
    """Where others keep what they know of stored answers and conversations."""

    def find(self, name: str) -> tuple[str, int] | None:
        """Unit and turn of one; None: not known there either."""

    def keep(self, name: str, unit: str, turn: int) -> None:
        """Let the others know."""


class Lineages:
    """Answers and conversations that the provider stores, and the units they belong to. Bounded, oldest out first.

    `shared`: what all know, who serve the same clients; it comes first, since a turn may have been another's.
    """

    __slots__ = ("_capacity", "_known", "shared")

    def __init__(self, capacity: int = 65_536) -> None:
        self._capacity = capacity
        self._known: dict[str, tuple[str, int]] = {}
        self.shared: Store | None = None

    def find(self, parent: str) -> tuple[str, int] | None:
        """Unit and turn of a stored answer or conversation; None: not known here."""
        shared = self.shared
        found = shared.find(parent) if shared is not None else None
        return found if found is not None else self._known.get(parent)

    def answered(self, turns: Turns, answer_id: str, unit: str, turn: int) -> None:
        """Remember that a unit's turn was answered; the next one may name the answer, or the conversation again."""
        if answer_id:
            self._keep(answer_id, (unit, turn))
        if turns.parent is not None and not turns.continued:
            self._keep(turns.parent, (unit, turn))

    def _keep(self, name: str, place: tuple[str, int]) -> None:
        self._known.pop(name, None)
        self._known[name] = place
        if len(self._known) > self._capacity:
            del self._known[next(iter(self._known))]
        shared = self.shared
        if shared is not None:
            shared.keep(name, *place)


def identify(
    request: Turns | dict[str, Any],
    *,
    key: bytes,
    session: bytes | None,
    credential: bytes | None,
    kind: str = "conversation",
    header: bytes | None = None,
    lineages: Lineages | None = None,
) -> Conversation:
    """The conversation of a request.

    Args:
        request: what it holds of the conversation, or the body of a chat request.
        key: secret, at most 64 bytes; keeps hashes of short texts from being guessed.
        session: value of `x-evogate-session`.
        credential: value of the client's credential header.
        kind: the policy's `unit` setting.
        header: value of the header that `kind` names; the request's id where `kind` is "request".
        lineages: what the provider stores, as far as it is known here.
    """
    turns = request if isinstance(request, Turns) else chat_turns(request)
    continued = turns.continued and kind != "request"  # a request as a unit of its own is whole when it arrives
    if header and kind != "conversation":
        identity = b"h" + header
    elif session:
        identity = b"s" + session
    elif turns.parent is not None:
        known = lineages.find(turns.parent) if lineages is not None else None
        if known is not None:
            return Conversation(known[0], known[1] + 1, continued)
        identity = _within(b"p", credential, turns.user, turns.parent)
    else:
        identity = _within(b"c", credential, turns.user, turns.first)
    digest = keyed(key)
    digest.update(identity)
    return Conversation(digest.hexdigest(), turns.turn or 1, continued)


def _within(kind: bytes, credential: bytes | None, user: Any, what: Any) -> bytes:
    who = credential or b""
    said = what.encode("utf-8", "surrogatepass") if type(what) is str else _bytes(what)
    return b"%b%d:%b%b\x00%b" % (kind, len(who), who, b"" if user is None else _bytes(user), said)


def _bytes(value: Any) -> bytes:
    """A value as bytes: text as it is (the usual case), anything else as JSON."""
    if type(value) is str:
        return value.encode("utf-8", "surrogatepass")
    try:
        return b"" if value is None else b"\x01" + orjson.dumps(value)
    except orjson.JSONEncodeError:  # nested deeper than orjson writes; the provider will refuse it anyway
        return b"\x02"
