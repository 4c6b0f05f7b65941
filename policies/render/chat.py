"""Chat completions: reading a request's conversation."""

from typing import Any

from policies.render.turns import NOTHING, Turns, content_text, head_of, last_of, roles_of

SYSTEM_ROLES = ("system", "developer")


def chat_turns(body: dict[str, Any]) -> Turns:
    """The conversation of a chat request of any shape."""
    messages = body.get("messages")
    if type(messages) is not list or not messages:
        return NOTHING
    roles = roles_of(messages)
    head = head_of(roles, SYSTEM_ROLES)
    continued = "assistant" in roles
    count = roles.count("user")
    if not count:
        return Turns(head=head, continued=continued)
    first = roles.index("user")
    last = first if count == 1 else last_of(roles, "user")
    content = messages[last].get("content")
    text = content if type(content) is str else content_text(content)
    return Turns(count, continued, messages[first].get("content"), text, head, last)
