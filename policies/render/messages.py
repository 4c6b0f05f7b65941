"""Working on a client's messages without changing them: every function returns new lists and new messages."""

from typing import Any, Literal

from policies.errors import ClientError

Placement = Literal["before", "after", "replace"]
Message = dict[str, Any]


def head_length(messages: list[Any], roles: tuple[str, ...]) -> int:
    """How many leading messages are the client's system text.

    Raises:
        ClientError: one of the first messages is no object.
    """
    for number, message in enumerate(messages):
        if type(message) is not dict:
            raise ClientError(f"'messages[{number}]' must be an object")
        if message.get("role") not in roles:
            return number
    return len(messages)


def with_system_text(head: list[Message], text: str, placement: Placement) -> list[Message]:
    """The system messages with `text` before, after or in place of the client's own.

    Text is merged into the client's message, for many models take only one.

    Raises:
        ClientError: the client's system content is neither text nor a list of parts.
    """
    if not head:
        return [{"role": "system", "content": text}]
    if placement == "before":
        return [_merged(head[0], text, before=True), *head[1:]]
    if placement == "after":
        return [*head[:-1], _merged(head[-1], text, before=False)]
    return [{"role": head[0]["role"], "content": text}]


def _merged(message: Message, text: str, *, before: bool) -> Message:
    content = message.get("content")
    if type(content) is str:
        joined: Any = (f"{text}\n\n{content}" if before else f"{content}\n\n{text}") if content else text
    elif type(content) is list:
        part = {"type": "text", "text": text}
        joined = [part, *content] if before else [*content, part]
    elif content is None:
        joined = text
    else:
        raise ClientError("the content of a system message must be text or a list of parts")
    return {**message, "content": joined}


def last_user(messages: list[Any]) -> int | None:
    """Position of the last user message."""
    for number in range(len(messages) - 1, -1, -1):
        message = messages[number]
        if type(message) is dict and message.get("role") == "user":
            return number
    return None


def content_text(content: Any) -> str:
    """The text in a message's content: itself, or its text parts, one a line."""
    if type(content) is str:
        return content
    if type(content) is not list:
        return ""
    texts = (part.get("text") for part in content if type(part) is dict)
    return "\n".join(text for text in texts if type(text) is str)


def last_user_text(body: dict[str, Any]) -> str:
    """What the user asks in a chat request of any shape: the text of the last user message, or empty text."""
    messages = body.get("messages")
    if type(messages) is not list:
        return ""
    number = last_user(messages)
    return "" if number is None else content_text(messages[number].get("content"))
