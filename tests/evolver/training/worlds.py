"""Recordings in two topics, and a provider whose answers get better with the right rules."""

from collections.abc import Sequence
from random import Random

import numpy as np

from evolver.examples import Example
from evolver.search import Score
from evolver.training import Answered, Curriculum, curriculum
from policies.genome import Genome
from tests.evolver.analysis.worlds import example
from tests.evolver.search.worlds import World

TOPICS = ("invoice total vendor amount due", "weather forecast rain wind snow")


def recordings(count: int = 120) -> list[Example]:
    """Every other one was corrected."""
    return [
        example(n, f"{TOPICS[n % 4 // 2]} case {n}", corrected=bool(n % 2), correction="yes" if n % 2 else None)
        for n in range(count)
    ]


def lessons(count: int = 120) -> Curriculum:
    return curriculum(recordings(count), np.random.default_rng(0))


class Talking(World):
    """Answers at length where no rule says otherwise; short ones are right."""

    def __init__(self, seed: int, rule: str, natural: float = 0.3) -> None:
        super().__init__(seed)
        self._rule, self._natural, self._rng = rule, natural, Random(seed)

    async def ask(self, genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        told = any(self._rule in rule.text for rule in genome.prompt.rubric)
        self.calls += len(examples)
        return [self._answer(0.95 if told else self._natural) for _ in examples]

    def _answer(self, chance: float) -> Answered:
        if self._rng.random() < chance:
            return Answered(Score(1.0, 100.0, 0.001), "yes")
        words = "Well, that depends on what is meant, but one could perhaps say that it is so in most cases."
        return Answered(Score(0.0, 100.0, 0.001), words)
