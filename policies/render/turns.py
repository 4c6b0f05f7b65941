"""What a request's conversation says, read once: for the unit, for memory, for the signals and for rendering."""

from collections.abc import Sequence
from typing import Any, NamedTuple


class Turns(NamedTuple):
    """A conversation as far as the request holds it. Every field exists for every shape of body."""

    count: int = 0  # the user's messages
    continued: bool = False  # earlier answers are in the request, or it names one
    first: Any = None  # content of the first user message, as sent
    text: str = ""  # text of the last one
    head: int = 0  # how many leading messages are system text; -1: one of the first is no object
    last: int | None = None  # place of the last user message
    parent: str | None = None  # id of a stored answer or conversation that the request goes on from


NOTHING = Turns()
NO_OBJECT = object()  # stands for the role of a message that is none


def roles_of(messages: Sequence[Any]) -> list[Any]:
    """Each message's role, whatever the messages are."""
    try:
        return [message["role"] for message in messages]
    except (KeyError, TypeError):
        return [message.get("role") if type(message) is dict else NO_OBJECT for message in messages]


def head_of(roles: Sequence[Any], system: Sequence[str]) -> int:
    """How many leading roles are of `system`; -1 where they end with a message that is no object."""
    for number, role in enumerate(roles):
        if role not in system:
            return -1 if role is NO_OBJECT else number
    return len(roles)


def last_of(roles: list[Any], role: str) -> int:
    """Place of the last message of that role, which is among them."""
    return len(roles) - 1 - roles[::-1].index(role)


def content_text(content: Any) -> str:
    """The text in a message's content: itself, or its text parts, one a line."""
    if type(content) is str:
        return content
    if type(content) is not list:
        return ""
    texts = [part.get("text") for part in content if type(part) is dict]
    return "\n".join([text for text in texts if type(text) is str])
