"""Rendering: a genome and a client's request become the request that goes up."""

from typing import Any

from policies.lint import lint
from policies.render.chat import CHAT_COMPLETIONS, chat_turns
from policies.render.renderer import Renderer
from policies.render.target import ModelTarget
from policies.render.turns import Turns, content_text
from policies.render.vocabulary import Vocabulary

__all__ = [
    "CHAT_COMPLETIONS",
    "ModelTarget",
    "Renderer",
    "Turns",
    "Vocabulary",
    "content_text",
    "last_user_text",
    "lint",
]


def last_user_text(body: dict[str, Any]) -> str:
    """What the user asks in a chat request of any shape: the text of the last user message, or empty text."""
    return chat_turns(body).text
