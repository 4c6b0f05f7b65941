"""What was said in a request to any endpoint, as plain turns: for reading, never for rendering."""

from typing import Any

from policies.render import content_text

_SYSTEM = ("system", "developer")


def spoken(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of every turn, in order; system text is left out, and so are turns without text."""
    turns = body.get("messages") or body.get("input")
    if type(turns) is not list:
        return [("user", text) for text in _texts(turns or body.get("prompt"))]
    said = [_turn(turn) for turn in turns if type(turn) is dict]
    return [(role, text) for role, text in said if text and role not in _SYSTEM]


def _texts(prompt: Any) -> list[str]:
    texts = prompt if type(prompt) is list else [prompt]
    return [text for text in texts if type(text) is str and text]


def _turn(turn: dict[str, Any]) -> tuple[str, str]:
    role = turn.get("role")
    if type(role) is not str:  # an item of the responses endpoint: a call, its result, reasoning
        return "tool", content_text(turn.get("output"))
    content = turn.get("content")
    return role, "\n".join(filter(None, (content_text(content), *_results(content))))


def _results(content: Any) -> list[str]:
    """The texts of tool results among the blocks of a message."""
    blocks = content if type(content) is list else []
    return [content_text(b.get("content")) for b in blocks if type(b) is dict and b.get("type") == "tool_result"]
