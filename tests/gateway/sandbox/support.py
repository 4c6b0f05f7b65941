"""Asking the provider without a socket, many times over."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import islice
from random import Random
from statistics import fmean
from typing import Any

from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.provider import Completion, Provider
from gateway.sandbox.tasks import Task, tasks
from gateway.sandbox.worlds import World

BASE = "You are a helpful assistant."


def complete(provider: Provider, task: Task, *, model: str, system: str, **parameters: Any) -> Completion:
    messages = [{"role": "system", "content": system}, task.messages[-1]]
    return provider.complete(provider.understand({**task.body(model, **parameters), "messages": messages}))


def grade(task: Task, completion: Completion) -> float:
    said = completion.said[0]
    return task.check("".join(said.tokens), [{"name": c.name, "arguments": c.arguments} for c in said.calls])


def drawn(world: World, n: int, seed: int = 5) -> list[Task]:
    return list(islice(tasks(Random(seed), world), n))


def grades(
    world: World, asked: Iterable[Task], *, model: str = "sandbox-large", system: str = BASE, temperature: float = 0.7
) -> dict[str, list[float]]:
    provider = Provider(world)
    found: dict[str, list[float]] = defaultdict(list)
    for task in asked:
        completion = complete(provider, task, model=model, system=system, temperature=temperature)
        found[task.family].append(grade(task, completion))
    return found


def mean(found: dict[str, list[float]]) -> float:
    return fmean(grade for family in found.values() for grade in family)


def all_rules(world: World, *, held_out: bool = False) -> str:
    """Every hidden rule of the world, said well."""
    wanted = [name for name in PARAPHRASES if name not in {"first_issue", "last_issue"} - {f"{world.precedence}_issue"}]
    words = [PARAPHRASES[name] for name in wanted]
    return "\n".join([BASE, *((w.held_out_phrasings if held_out else w.phrasings)[0] for w in words)])
