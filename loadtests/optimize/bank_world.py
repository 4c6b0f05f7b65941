"""Real prompts with their real mean scores; which of them answers which example right is drawn (and said to be).

A prompt stands for the whole genome, and the proposer knows nothing: it draws prompts. Half of the worlds (a task and a
model), by a hash of their names, may be used to tune defaults, the other half reports.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from evolver.examples import Example
from evolver.search import Material, Score
from evolver.training import Answered
from loadtests.optimize.world import example_of
from policies.genome import Genome, PromptLayer, Rule

FILE = Path(__file__).resolve().parents[3] / "shared" / "data" / "prompt_bank.jsonl"
EXAMPLES = 300
PROMPT = "prompt"  # id of the one rule
USD = 0.001


def bank(path: Path = FILE, *, reporting: bool = True) -> dict[str, dict[str, float]]:
    """World -> prompt -> test score, of the half that reports (or of the one that tunes)."""
    worlds: dict[str, dict[str, float]] = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            name = f"{row['task']} x {row['model']}"
            if (_digest(name) % 2 == 0) == reporting and 0 < len(row["prompt"]) <= 4_000:
                worlds[name][row["prompt"]] = float(row["test_score"])
    return dict(worlds)


class BankWorld:
    """One world; the seed decides where one starts and which examples are drawn right."""

    def __init__(self, name: str, scores: dict[str, float], seed: int) -> None:
        self.name = "prompt bank"
        self.calls = 0
        self._scores, self._seed = scores, f"{name} {seed}"
        ordered = sorted(scores, key=lambda text: _digest(self._seed, text))
        self.base = Genome(prompt=PromptLayer(rubric=(Rule(id=PROMPT, text=ordered[0]),)))
        self.material = Material(rewrites={PROMPT: tuple(ordered)}, layers=("prompt",))
        self.examples: Sequence[Example] = [example_of(i, {"messages": []}) for i in range(EXAMPLES)]

    async def evaluate(self, genome: Genome, examples: Sequence[Example]) -> list[Score]:
        self.calls += len(examples)
        return [Score(self._drawn(genome, example), 0.0, USD) for example in examples]

    async def ask(self, genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        return [Answered(score, "") for score in await self.evaluate(genome, examples)]

    def truth(self, genome: Genome) -> float:
        return self._scores[_prompt(genome)] if genome.prompt.rubric else 0.0

    def _drawn(self, genome: Genome, example: Example) -> float:
        place = _digest(self._seed, _prompt(genome), example.id) / 2**64
        return float(place < self.truth(genome))


def _prompt(genome: Genome) -> str:
    """The prompt; without one nothing is right."""
    return genome.prompt.rubric[0].text if genome.prompt.rubric else ""


def _digest(*parts: str) -> int:
    return int.from_bytes(hashlib.blake2b("\0".join(parts).encode(), digest_size=8).digest())
