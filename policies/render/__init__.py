"""Rendering: a genome and a client's request become the request that goes up."""

from policies.lint import lint
from policies.render.messages import content_text, last_user_text
from policies.render.renderer import Renderer
from policies.render.target import ModelTarget
from policies.render.vocabulary import CHAT_COMPLETIONS, Vocabulary

__all__ = ["CHAT_COMPLETIONS", "ModelTarget", "Renderer", "Vocabulary", "content_text", "last_user_text", "lint"]
