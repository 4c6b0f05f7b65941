"""Rendering in one call, read back as JSON."""

from typing import Any

import orjson

from policies.genome import Genome
from policies.memory import Entry
from policies.render import ModelTarget, Renderer

TARGET = ModelTarget(key="large", upstream="openai", model="gpt-4.1")
SYSTEM, USER = {"role": "system", "content": "Client's."}, {"role": "user", "content": "Hi"}
RULES = {"rubric": ["Be kind.", "Be exact."]}


def genome(prompt: dict[str, Any] | None = None, **strategy: Any) -> Genome:
    return Genome.model_validate({"prompt": prompt or {}, "strategy": strategy})


def rendered(
    body: dict[str, Any],
    prompt: dict[str, Any] | None = None,
    *,
    target: ModelTarget | None = None,
    client_wins: tuple[str, ...] = (),
    memory: tuple[Entry, ...] = (),
    ask_usage: bool = False,
    **strategy: Any,
) -> dict[str, Any]:
    renderer = Renderer(genome(prompt, **strategy), target, client_wins)
    result: dict[str, Any] = orjson.loads(renderer.render(body, memory, ask_usage=ask_usage))
    return result
