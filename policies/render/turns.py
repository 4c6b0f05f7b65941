"""What a request's conversation says, read once: for the unit, for memory, for the signals and for rendering."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from policies.errors import ClientError


@dataclass(slots=True, init=False)  # its `__init__` is written out to be native where compiled
class Turns:
    """A conversation as far as the request holds it. Every field exists for every shape of body."""

    turn: int  # the user's messages so far
    continued: bool  # earlier answers are in the request, or it names one
    first: Any  # content of the first user message, as sent
    text: str  # text of the last one
    head: int  # how many leading messages are system text; -1: one of the first is no object
    last: int | None  # place of the last user message
    user: Any  # the client's own name for the person, as sent
    parent: str | None  # id of the stored answer or conversation that the request goes on from

    def __init__(  # noqa: PLR0917 - in the order of the fields
        self,
        turn: int = 0,
        continued: bool = False,
        first: Any = None,
        text: str = "",
        head: int = 0,
        last: int | None = None,
        user: Any = None,
        parent: str | None = None,
    ) -> None:
        self.turn = turn
        self.continued = continued
        self.first = first
        self.text = text
        self.head = head
        self.last = last
        self.user = user
        self.parent = parent


def content_text(content: Any) -> str:
    """The text in a message's content: itself, or its text parts, one a line."""
    if type(content) is str:
        return content
    if type(content) is not list:
        return ""
    texts = [part.get("text") for part in content if type(part) is dict]
    return "\n".join([text for text in texts if type(text) is str])


def head_of(messages: Sequence[Any], system: tuple[str, ...]) -> int:
    """How many leading messages are of those roles; -1 where they end with one that is no object."""
    for number, message in enumerate(messages):
        if type(message) is not dict:
            return -1
        if message.get("role") not in system:
            return number
    return len(messages)


def no_object(field: str, messages: Sequence[Any]) -> ClientError:
    """The error that names the first message that is no object."""
    number = next((number for number, message in enumerate(messages) if type(message) is not dict), 0)
    return ClientError(f"'{field}[{number}]' must be an object")
