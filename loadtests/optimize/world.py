"""What an optimizer is given, and what it is held to afterwards."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evolver.examples import Example
from evolver.search import Material, Score
from evolver.training import Answered
from policies.genome import Genome


class World(Protocol):
    """One draw of a task. Only `truth` may look behind it, and only for reports."""

    name: str
    base: Genome
    material: Material
    examples: Sequence[Example]
    calls: int  # evaluations made so far

    async def evaluate(self, genome: Genome, examples: Sequence[Example]) -> list[Score]:
        """Scores on examples, one call each."""

    async def ask(self, genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        """The same with the answers' words."""

    def truth(self, genome: Genome) -> float:
        """Mean quality over what the optimizer never saw."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an optimizer returned: the genome, and how good it says that it is."""

    genome: Genome
    reported: float


Optimize = Callable[[World, int, np.random.Generator], Coroutine[Any, Any, Found]]


def example_of(number: int, body: dict[str, Any], **known: Any) -> Example:
    """A request as analysis would give it."""
    fields: dict[str, Any] = {
        "id": f"e{number}",
        "at": float(number),
        "policy": "bench",
        "unit": f"u{number}",
        "turn": 1,
        "arm": "",
        "version": "v1.0",
        "intent": "",
        "model": "",
        "stream": False,
        "body": body,
        "answer": None,
        "cost_usd": 0.001,
    }
    return Example(**(fields | known))
