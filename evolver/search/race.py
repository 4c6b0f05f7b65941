"""Measuring under a hard budget, and racing by successive halving on paired examples.

Everyone sees the same examples in the same order; after each rung the better half goes on to twice as many
(Jamieson and Talwalkar, 2016, eta 2). Nothing is ever measured on all examples at one jump.
"""

import asyncio
from collections.abc import Callable, Sequence

from evolver.examples import Example
from evolver.search.budget import Budget, OverrunError, Reservation
from evolver.search.journal import Attempt, Journal
from evolver.search.ledger import Ledger
from evolver.search.ranking import select
from evolver.search.values import Evaluate, Score
from policies.errors import EvoGateError
from policies.genome import Genome
from policies.strategy.choice import most_calls

ETA = 2
FIRST_RUNG = 4
FAULTS = 20  # sentences kept

Ceiling = Callable[[Genome, Example], float]  # what one evaluation may cost at most, US dollars


class Evaluator:
    """The injected `evaluate`, cached in a ledger and charged to a budget."""

    def __init__(
        self, evaluate: Evaluate, ledger: Ledger, budget: Budget, ceiling: Ceiling, journal: Journal | None = None
    ) -> None:
        self.ledger = ledger
        self.budget = budget
        self.journal = journal
        self.exhausted = False
        self.faults: list[str] = []
        self._evaluate = evaluate
        self._ceiling = ceiling

    async def measure(self, genome: Genome, examples: Sequence[Example]) -> bool:
        """Make sure that the genome is scored on all of them; False where the budget or the evaluation failed."""
        missing = self.ledger.missing(genome, examples)
        if not missing:
            return True
        calls = len(missing) * most_calls(genome.strategy)
        held = self.budget.reserve(calls, sum(self._ceiling(genome, example) for example in missing))
        if held is None:
            self.exhausted = True
            return False
        scores = await self._charged(genome, missing, held)
        if scores is not None:
            self.ledger.record(genome, missing, scores)
        return scores is not None

    async def _charged(self, genome: Genome, examples: list[Example], held: Reservation) -> list[Score] | None:
        """Evaluate and settle. What a failed or cancelled evaluation has spent is unknown: its reservation is."""
        attempt = Attempt(held.calls, held.usd)
        # Everybody in a rung reserves before anybody settles: who is in it does not depend on how fast answers come.
        try:
            await asyncio.sleep(0)
            attempt = await self._attempt(genome, examples, held)
        finally:
            self._settle(genome, held, attempt.calls, attempt.usd)
        if attempt.scores is None:
            self._fault(genome, attempt.fault)
        return attempt.scores

    async def _attempt(self, genome: Genome, examples: list[Example], held: Reservation) -> Attempt:
        """As the journal has it, or made now."""
        if self.journal is None:
            return await self._made(genome, examples, held)
        key = genome.content_hash, tuple(example.id for example in examples)
        attempt = self.journal.next(key)
        if attempt is None:
            self.journal.announce(key, held.calls, held.usd)
            attempt = await self._made(genome, examples, held)
            self.journal.enter(key, attempt)
        return attempt

    async def _made(self, genome: Genome, examples: list[Example], held: Reservation) -> Attempt:
        try:
            scores = await self._evaluate(genome, examples)
        except (EvoGateError, TimeoutError, OSError, ValueError) as error:
            return Attempt(held.calls, held.usd, None, f"{type(error).__name__}: {error}")
        if len(scores) != len(examples):
            return Attempt(held.calls, held.usd, None, f"{len(scores)} scores for {len(examples)} examples")
        return Attempt(held.calls, sum(score.cost_usd for score in scores), scores, "")

    def _settle(self, genome: Genome, held: Reservation, calls: int, usd: float) -> None:
        try:
            self.budget.settle(held, calls=calls, usd=usd)
        except OverrunError as error:
            self.exhausted = True
            self._fault(genome, str(error))

    def _fault(self, genome: Genome, what: str) -> None:
        if len(self.faults) < FAULTS:
            self.faults.append(f"genome {genome.content_hash[:8]}: {what}")


async def race(
    genomes: Sequence[Genome], examples: Sequence[Example], evaluator: Evaluator, *, base: Genome, keep: int
) -> list[Genome]:
    """Halve the field over growing rungs until `keep` are left; returns everyone who was measured at all.

    The base runs along through every rung, so that all differences are paired.
    """
    alive, measured = list(genomes), dict.fromkeys([base])
    rung = min(FIRST_RUNG, len(examples))
    while await measured_base(evaluator, base, examples[:rung]):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(evaluator.measure(genome, examples[:rung])) for genome in alive]
        alive = [genome for genome, task in zip(alive, tasks, strict=True) if task.result()]
        measured |= dict.fromkeys(alive)
        if rung == len(examples) or len(alive) <= keep or evaluator.exhausted:
            break
        alive = select(alive, evaluator.ledger, max(keep, -(-len(alive) // ETA)))
        rung = min(rung * ETA, len(examples))
    return list(measured)


async def measured_base(evaluator: Evaluator, base: Genome, examples: Sequence[Example]) -> bool:
    """Measure what all others are paired with; it gets a second try, since nothing can be said without it."""
    return await evaluator.measure(base, examples) or await evaluator.measure(base, examples)
