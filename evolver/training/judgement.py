"""Which of a trainer's finalists goes on, and what it is worth: picked on some unseen examples, measured on others."""

from collections.abc import Sequence

from evolver.search.budget import Budget, Reservation
from evolver.search.race import Ceiling, Evaluator
from evolver.training.curriculum import Curriculum
from evolver.training.values import RewardGain
from policies.genome import Genome

FINALISTS = 3


class Judgement:
    """Sets aside at the start what the last comparison will cost, so that training can't use it up."""

    def __init__(self, base: Genome, lessons: Curriculum, budget: Budget, ceiling: Ceiling) -> None:
        self._base, self._lessons, self._budget = base, lessons, budget
        calls = (FINALISTS + 1) * len(lessons.selection) + 2 * len(lessons.held_out)
        dearest = max((ceiling(base, one) for one in (*lessons.selection, *lessons.held_out)), default=0.0)
        self._held: Reservation | None = budget.reserve(calls, calls * dearest)

    @property
    def affordable(self) -> bool:
        """Whether there is money for it; without, training would be for nothing."""
        return self._held is not None and bool(self._lessons.held_out)

    async def measure(self, finalists: Sequence[Genome], evaluator: Evaluator) -> tuple[Genome, RewardGain] | None:
        """The best finalist on the selection examples with its gain on the held-out ones; None where that fails."""
        if self._held is not None:
            self._budget.settle(self._held, calls=0, usd=0.0)
        picked = await self._picked(finalists[:FINALISTS], evaluator)
        held_out = self._lessons.held_out
        if picked is None or not await evaluator.measure(self._base, held_out):
            return None
        if not await evaluator.measure(picked, held_out):
            return None
        return picked, RewardGain(*evaluator.ledger.gain(picked, [example.id for example in held_out]))

    async def _picked(self, finalists: Sequence[Genome], evaluator: Evaluator) -> Genome | None:
        selection = self._lessons.selection
        if len(finalists) < 2 or not selection or not await evaluator.measure(self._base, selection):
            return finalists[0] if finalists else None
        measured = [genome for genome in finalists if await evaluator.measure(genome, selection)]
        ids = [example.id for example in selection]
        return max(measured, key=lambda genome: evaluator.ledger.gain(genome, ids)[:2], default=None)
