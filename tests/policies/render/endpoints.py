"""Rendering at any endpoint in one call, read back as JSON."""

from typing import Any

import orjson

from policies.dialects import Dialect
from policies.memory import Entry
from policies.render import ModelTarget, Renderer
from tests.policies.render.rendering import genome

ENTRY = Entry("m1", "Refunds take 14 days.")
SHOT = {"user": "2+2?", "assistant": "4"}
SHOT_TURNS = [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]


def rendered(
    dialect: Dialect,
    body: dict[str, Any],
    prompt: dict[str, Any] | None = None,
    *,
    target: ModelTarget | None = None,
    client_wins: tuple[str, ...] = (),
    memory: tuple[Entry, ...] = (),
    ask_usage: bool = False,
    **strategy: Any,
) -> dict[str, Any]:
    renderer = Renderer(genome(prompt, **strategy), target, client_wins, dialect.vocabulary)
    found: dict[str, Any] = orjson.loads(renderer.render(body, memory, ask_usage=ask_usage, raw=orjson.dumps(body)))
    return found
