"""How an endpoint spells what genes change. Other endpoints drop in as further values."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The names of one endpoint's request fields.

    `spellings` maps a gene to the fields that mean it, the one written by default first.
    """

    messages: str
    system_roles: tuple[str, ...]  # leading messages of these roles are the client's system text
    tools: tuple[str, ...]  # a request has tools where one of these is a list that is not empty
    spellings: Mapping[str, tuple[str, ...]]


CHAT_COMPLETIONS = Vocabulary(
    messages="messages",
    system_roles=("system", "developer"),
    tools=("tools", "functions"),
    spellings={
        "temperature": ("temperature",),
        "top_p": ("top_p",),
        "max_tokens": ("max_tokens", "max_completion_tokens"),
    },
)
