"""Landscapes with a known optimum: some rules help, some harm, genes have best values, every example is noisy."""

from collections.abc import Sequence

import numpy as np

from evolver.examples import Example
from evolver.search import Material, Score
from policies.genome import Genome, Rule
from tests.evolver.analysis.worlds import example

GOOD = tuple(Rule(id=f"good{i}", text=f"Do the useful thing number {i}.") for i in range(3))
BAD = tuple(Rule(id=f"bad{i}", text=f"Do the useless thing number {i}.") for i in range(5))
MATERIAL = Material(model_keys=("large", "small"), rules=GOOD + BAD)
BASE = Genome()
EXAMPLES = [example(i) for i in range(32)]


def true_quality(genome: Genome) -> float:
    """0.40 for the base; 0.94 at the best: all good rules, no bad one, reasoning, a low temperature."""
    ids = {rule.id for rule in genome.prompt.rubric}
    quality = 0.4 + 0.12 * sum(rule.id in ids for rule in GOOD) - 0.08 * sum(rule.id in ids for rule in BAD)
    quality += 0.1 * genome.prompt.cot
    heat = 0.7 if genome.strategy.temperature is None else genome.strategy.temperature
    quality += 0.08 * (0.7 - heat) / 0.7
    return float(np.clip(quality - 0.1 * (genome.strategy.model_key == "small"), 0, 1))


class World:
    """Scores drawn around the truth; the same genome and example always give the same score."""

    def __init__(self, seed: int, noise: float = 0.15) -> None:
        self.seed, self.noise = seed, noise
        self.calls = 0
        self.seen: list[tuple[str, str]] = []

    async def evaluate(self, genome: Genome, examples: Sequence[Example]) -> list[Score]:
        self.calls += len(examples)
        self.seen += [(genome.content_hash, one.id) for one in examples]
        return [self.score(genome, one) for one in examples]

    def score(self, genome: Genome, one: Example) -> Score:
        hard = np.random.default_rng([self.seed, int(one.id[1:])]).normal() * self.noise  # the same for all genomes
        own = np.random.default_rng([self.seed, int(one.id[1:]), int(genome.content_hash[:12], 16)]).normal()
        quality = float(np.clip(true_quality(genome) + hard + own * self.noise, 0, 1))
        cheap = genome.strategy.model_key == "small"
        return Score(quality, 300.0 if cheap else 900.0, 0.0001 if cheap else 0.001)
