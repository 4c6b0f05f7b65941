"""What an application asks, with the application's own check of what it gets back.

The messages carry no hint of the hidden rules: the system text, where there is one, names the feature and no more.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from gateway.sandbox.families import FAMILIES, recognise
from gateway.sandbox.families.base import Problem
from gateway.sandbox.paraphrases import PARAPHRASES
from gateway.sandbox.rules import Family
from gateway.sandbox.worlds import World

DEFAULT_SYSTEM = "You are a helpful assistant."
MIX: Mapping[Family, float] = {
    "classification": 0.24,
    "extraction": 0.21,
    "arithmetic": 0.21,
    "tools": 0.21,
    "knowledge": 0.05,
    "choice": 0.08,
}
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One request of the application: everything but the model and the sampling parameters."""

    family: Family
    messages: tuple[Message, ...]
    request_extras: Mapping[str, Any]
    correction_text: str  # what the user says next where the answer was not what they wanted
    problem: Problem

    def check(self, answer_text: str | None, tool_calls: Sequence[Mapping[str, Any]] | None = None) -> float:
        """The application's own judgement of an answer, 0 to 1.

        `tool_calls` are mappings with `name` and `arguments`, flat or in OpenAI's nesting.
        """
        return self.problem.score(answer_text or "", tool_calls or ())

    def body(self, model: str, **parameters: Any) -> dict[str, Any]:
        """The request as JSON values."""
        return {"model": model, "messages": list(self.messages), **self.request_extras, **parameters}

    def follow_up(self, answer_text: str | None) -> list[Message]:
        """The messages of the next turn, in which the user corrects that answer."""
        said = {"role": "assistant", "content": answer_text or "Done."}
        return [*self.messages, said, {"role": "user", "content": self.correction_text}]


def tasks(rng: Random, world: World, mix: Mapping[Family, float] = MIX, *, system: str | None = None) -> Iterator[Task]:
    """Endless tasks of the families in `mix` (family -> weight).

    Args:
        rng: decides everything that the world has not decided.
        system: the application's system text; None takes the feature's name, "" leaves the message out.
    """
    families, weights = list(mix), list(mix.values())
    while True:
        family = rng.choices(families, weights)[0]
        yield draw_task(rng, world, family, system=system)


def draw_task(rng: Random, world: World, family: Family, *, system: str | None = None) -> Task:
    """One task of that family."""
    request = FAMILIES[family].draw(world, rng)
    text = f"{world.features[family]}." if system is None else system
    return _task(world, family, request.text, request.extras, text)


def real_questions(path: Path, world: World, *, system: str = "") -> list[Task]:
    """The recorded multiple-choice questions (column `prompt` of a CSV file) as tasks, in the file's order.

    Raises:
        OSError: the file can't be read.
    """
    with path.open(newline="", encoding="utf-8") as file:
        prompts = [row["prompt"] for row in csv.DictReader(file)]
    return [_task(world, "choice", prompt, {}, system) for prompt in prompts if "\nB. " in prompt]


def _task(world: World, family: Family, text: str, extras: Mapping[str, Any], system: str) -> Task:
    problem = recognise(world, text)
    if problem is None or problem.family != family:
        raise ValueError(f"the {family} task can't be read back from its own text: {text!r}")
    messages: list[Message] = [{"role": "system", "content": system}] if system else []
    correction = " ".join(PARAPHRASES[rule].complaint.format(wanted=problem.wanted) for rule in problem.rules)
    return Task(family, (*messages, {"role": "user", "content": text}), extras, correction, problem)
