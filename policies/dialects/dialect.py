"""What an endpoint calls things, as one value: requests, answers, streams and errors. Chosen by path, once a request.

A policy that matches a path which is none of these keeps chat's dialect: most compatible servers speak it somewhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from policies.dialects import errors
from policies.outcome import Answer, StreamReader, read_answer
from policies.render.chat import CHAT_COMPLETIONS, chat_turns
from policies.render.turns import Turns
from policies.render.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Dialect:
    """One endpoint's ways.

    `reader` makes a reader for one stream; with True it hides the usage that was asked for in the client's place.
    `error_event` takes (message, code) and ends a stream that broke; `error_body` makes the body of an error that is
    the gateway's own, see `errors`.
    """

    name: str
    path: str
    vocabulary: Vocabulary  # of `Renderer`
    turns: Callable[[dict[str, Any]], Turns]
    read_answer: Callable[[bytes], Answer]
    reader: Callable[[bool], StreamReader]
    error_event: Callable[[str, str], bytes]
    error_body: errors.ErrorBody
    credential: bytes = b"authorization"  # the header field that says who the client is


CHAT = Dialect(
    "chat",
    "/v1/chat/completions",
    CHAT_COMPLETIONS,
    chat_turns,
    read_answer,
    StreamReader,
    errors.openai_event,
    errors.openai_body,
)

_BY_PATH: dict[bytes | str, Dialect] = {}
for _dialect in (CHAT,):
    _BY_PATH[_dialect.path] = _BY_PATH[_dialect.path.encode()] = _dialect


def dialect_of(path: bytes | str) -> Dialect:
    """The dialect spoken at that path, without its query."""
    return _BY_PATH.get(path, CHAT)
