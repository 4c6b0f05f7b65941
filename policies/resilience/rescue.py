"""A cut stream goes on with a second answer where that answer repeats what the client already has.

What must be repeated: the text of the only choice (`delta.content`, or `text` of a legacy completion), joined over the
chunks and compared after JSON decoding, character for character. Everything else about a chunk may differ and does:
`id`, `created`, `model`, `system_fingerprint`, how the text is cut into chunks, how it is escaped. What is released
carries the second provider's, since from there on it is the one that answers; usage comes last, so it is its own.

1. Before the released part begins, a chunk is swallowed as long as it repeats; the one that goes beyond is released
   with the rest of its text. A role that the client has is taken out. From there on bytes pass untouched.
2. A first answer is beyond rescue where the client has anything but text of one choice: a tool call (its id was made up
   by the first provider), a refusal, reasoning, log-probabilities, a second choice, an end, an error, or an event that
   can't be read. So are streams of other vocabularies (`/v1/responses`, `/v1/messages`), whose events are numbered.
3. The second answer has diverged where its text differs, ends before it has repeated all, or says something of another
   kind first. Nothing more of it is released then.

The second provider's request costs as much as the first. At temperature 0 two answers often agree, seldom otherwise.
"""

import re
from collections.abc import Iterator
from typing import Any, NoReturn

import orjson

# Two line ends in a row; a final carriage return may be half of one.
_EVENT_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?!\Z))")
_DONE = b"[DONE]"
_EVENT_LIMIT = 8 * 1024 * 1024
_TEXT = frozenset({"role", "content"})


class DivergedError(Exception):
    """An event does not fit."""


class Rescue:
    """Feed it the second answer's events as they come, in any pieces.

    Args:
        relayed: all that the client has of the first answer's body.
    """

    __slots__ = ("_has_role", "_passing", "_rest", "_tail", "failure")

    def __init__(self, relayed: bytes) -> None:
        self._rest = ""  # what is still to be repeated
        self._tail = b""
        self._has_role = False
        self._passing = False
        self.failure: str | None = None  # why there is no rescue, or none any more
        try:
            self._read_first(relayed)
        except DivergedError as error:
            self.failure = f"the first answer is beyond rescue: {error}"

    def feed(self, data: bytes) -> bytes:
        """What of these bytes is new to the client; nothing once `failure` is set."""
        if self._passing:
            return data
        if self.failure is not None:
            return b""
        try:
            return self._follow(self._tail + data)
        except DivergedError as error:
            self.failure = f"the second answer diverged: {error}"
            return b""

    def finish(self) -> bytes:
        """The second answer has ended: what is new of its last event. Sets `failure` where text is missing."""
        released = self.feed(b"\n\n") if self._tail.strip() else b""
        if self._rest and self.failure is None:
            self.failure = "the second answer diverged: it ended before it had repeated the first"
        return released

    def _read_first(self, relayed: bytes) -> None:
        said: list[str] = []
        end = 0
        for raw, after in _events(relayed):
            end = after
            choice = _choice(_chunk(raw))
            if choice is None:
                continue
            if _ends(choice) or _says_more(choice):
                raise DivergedError("the client has more of it than text")
            said.append(_text(choice))
            self._has_role = self._has_role or "role" in _delta(choice)
        if relayed[end:].strip():
            raise DivergedError("the client has half an event")
        self._rest = "".join(said)
        self._passing = not self._rest and not self._has_role

    def _follow(self, buffer: bytes) -> bytes:
        """Release from the first new event on; before it, keep what is not whole."""
        at = 0
        for raw, at in _events(buffer):
            released = self._event(raw)
            if released:
                self._passing, self._tail = True, b""
                return released + buffer[at:]
        self._tail = buffer[at:]
        if len(self._tail) > _EVENT_LIMIT:
            raise DivergedError("an event has no end")
        return b""

    def _event(self, raw: bytes) -> bytes:
        """The new part of one event of the second answer."""
        if _data(raw) == _DONE:
            return b"" if self._rest else raw + b"\n\n"
        chunk = _chunk(raw)
        choice = _choice(chunk)
        if choice is None:
            return b""
        text, more, ends = _text(choice), _says_more(choice), _ends(choice)
        if self._rest and more:
            raise DivergedError("it says more than text where the first had only text")
        known = min(len(text), len(self._rest))
        if text[:known] != self._rest[:known]:
            raise DivergedError("its text is another")
        self._rest = self._rest[known:]
        if self._rest and ends:
            raise DivergedError("it ended before it had repeated the first")
        if known == len(text) and not (more or ends):
            return b""
        _shorten(choice, known)
        return b"data: " + orjson.dumps(chunk) + b"\n\n"


def _events(buffer: bytes) -> Iterator[tuple[bytes, int]]:
    """Whole events without their blank lines, each with where the next begins."""
    at = 0
    while (end := _EVENT_END.search(buffer, at)) is not None:
        yield buffer[at : end.start()], end.end()
        at = end.end()


def _data(raw: bytes) -> bytes:
    """An event's data; comments and other fields are left out."""
    lines = (line.partition(b":") for line in raw.removeprefix(b"\xef\xbb\xbf").splitlines())
    return b"\n".join(value for name, _, value in lines if name == b"data").strip()


def _chunk(raw: bytes) -> dict[str, Any] | None:
    """The event's object, None where it has no data or is the terminator."""
    data = _data(raw)
    if not data or data == _DONE:
        return None
    try:
        chunk = orjson.loads(data)
    except orjson.JSONDecodeError:
        raise DivergedError("an event is not JSON") from None
    return chunk if isinstance(chunk, dict) else _unfit()


def _choice(chunk: dict[str, Any] | None) -> dict[str, Any] | None:
    """The only choice, None where the chunk has none (usage, or Azure's content filter before the first text)."""
    if chunk is None:
        return None
    choices = chunk.get("choices")
    if chunk.get("error") or not isinstance(choices, list) or len(choices) > 1:
        _unfit()
    if not choices:
        return None
    choice = choices[0]
    if not isinstance(choice, dict) or choice.get("index"):
        _unfit()
    return choice


def _unfit() -> NoReturn:
    raise DivergedError("an event is no chunk of one choice")


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    delta = choice.get("delta")
    return delta if isinstance(delta, dict) else {}


def _text(choice: dict[str, Any]) -> str:
    text = _delta(choice).get("content") or choice.get("text") or ""
    return text if isinstance(text, str) else _unfit()


def _says_more(choice: dict[str, Any]) -> bool:
    """Whether it holds anything that is neither text nor nothing."""
    return bool(choice.get("logprobs")) or any(value for key, value in _delta(choice).items() if key not in _TEXT)


def _ends(choice: dict[str, Any]) -> bool:
    return bool(choice.get("finish_reason"))


def _shorten(choice: dict[str, Any], known: int) -> None:
    """Take out what the client has: the role and the first `known` characters."""
    delta = _delta(choice)
    delta.pop("role", None)
    for holder, key in ((delta, "content"), (choice, "text")):
        if isinstance(holder.get(key), str):
            holder[key] = holder[key][known:]
