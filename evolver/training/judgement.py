"""Which of a trainer's finalists goes on, and what it is worth: picked on some unseen examples, measured on others."""

import asyncio
from collections.abc import Sequence

from evolver.examples import Example
from evolver.search.budget import Budget, Reservation
from evolver.search.race import Ceiling, Evaluator
from evolver.training.curriculum import Curriculum
from evolver.training.values import RewardGain
from policies.genome import Genome

FINALISTS = 3
SHARE = 0.5  # of the budget that the comparison may take at most
LEAST = 4  # examples, for a comparison to say anything


class Judgement:
    """Sets aside at the start what the last comparison will cost, so that training can't use it up."""

    def __init__(self, base: Genome, lessons: Curriculum, budget: Budget, ceiling: Ceiling) -> None:
        self._base, self._budget = base, budget
        unseen = (*lessons.selection, *lessons.held_out)
        dearest = max((ceiling(base, one) for one in unseen), default=0.0)
        each = FINALISTS + 3  # the finalists and the base on the one part, the best and the base on the other
        most = int(budget.affordable(dearest) * SHARE) // each
        self._selection, self._held_out = _few(lessons.selection, most), _few(lessons.held_out, most)
        calls = (FINALISTS + 1) * len(self._selection) + 2 * len(self._held_out)
        self._held: Reservation | None = budget.reserve(calls, calls * dearest)

    @property
    def affordable(self) -> bool:
        """Whether there is money for it; without, training would be for nothing."""
        return self._held is not None and len(self._held_out) >= LEAST

    async def measure(self, finalists: Sequence[Genome], evaluator: Evaluator) -> tuple[Genome, RewardGain] | None:
        """The best finalist on the selection examples with its gain on the held-out ones; None where that fails."""
        if self._held is not None:
            self._budget.settle(self._held, calls=0, usd=0.0)
        picked = await self._picked(finalists[:FINALISTS], evaluator)
        held_out = self._held_out
        if picked is None or not (
            await _measured(self._base, held_out, evaluator) and await _measured(picked, held_out, evaluator)
        ):
            return None
        mean, low, n = evaluator.ledger.gain(picked, [example.id for example in held_out])
        return (picked, RewardGain(mean, low, n, self._base_reward(evaluator))) if n >= LEAST else None

    def _base_reward(self, evaluator: Evaluator) -> float:
        known = evaluator.ledger.qualities(self._base)
        found = [known[example.id] for example in self._held_out if example.id in known]
        return sum(found) / len(found)

    async def _picked(self, finalists: Sequence[Genome], evaluator: Evaluator) -> Genome | None:
        selection = self._selection
        if len(finalists) < 2 or not selection or not await _measured(self._base, selection, evaluator):
            return finalists[0] if finalists else None
        measured = [genome for genome in finalists if await _measured(genome, selection, evaluator)]
        ids = [example.id for example in selection]
        return max(measured, key=lambda genome: evaluator.ledger.gain(genome, ids)[:2], default=None)


async def _measured(genome: Genome, examples: Sequence[Example], evaluator: Evaluator) -> bool:
    """Each example by itself, so that one answer that fails to come costs no more than itself."""
    found = await asyncio.gather(*(evaluator.measure(genome, [example]) for example in examples))
    return sum(found) >= min(LEAST, len(examples))


def _few(examples: Sequence[Example], most: int) -> list[Example]:
    """An even choice: bad ones stand before good ones."""
    step = max(1.0, len(examples) / max(most, 1))
    return [examples[int(i * step)] for i in range(min(most, len(examples)))]
