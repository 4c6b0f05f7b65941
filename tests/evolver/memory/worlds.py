"""Recorded questions about products, some with a sheet beside them: what the sandbox's application asks."""

from random import Random
from typing import Any

from evolver.examples import Example
from gateway.sandbox.tasks import draw_task
from gateway.sandbox.worlds import World
from tests.evolver.analysis.worlds import example

WORLD = World(3)
TRUE = {fact.text for fact in WORLD.facts}
SHEET = "Product sheet:"


def knowledge(rng: Random, n: int, **changes: Any) -> list[Example]:
    """Questions answered from the sheet where there is one, and wrongly where there is none; scored by the user."""
    made = []
    for number in range(n):
        task = draw_task(rng, WORLD, "knowledge")
        text = task.messages[-1]["content"]
        problem: Any = task.problem
        value = problem.truth if SHEET in text else "7 parsecs"
        answer = f"The {problem.subject}: {value}."
        made.append(
            example(
                number,
                body={"messages": list(task.messages)},
                answer={"text": answer, "tool_calls": [], "finish_reason": "stop"},
                score=task.check(answer),
                **changes,
            )
        )
    return made


def asks(number: int, text: str, answer: str, *, score: float | None = 1.0, **changes: Any) -> Example:
    """One question with its answer and the user's word."""
    said = {"text": answer, "tool_calls": [], "finish_reason": "stop"}
    return example(number, text, answer=said, score=score, **changes)
