"""The genetic search: race the seeds, then breed, race and select, until a stop condition or the budget ends it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from config.settings import Search
from evolver.examples import Example
from evolver.search import stops
from evolver.search.budget import Budget
from evolver.search.ledger import Ledger
from evolver.search.operator_bandit import OperatorBandit
from evolver.search.operators import OPERATORS, Material, Operator, confine
from evolver.search.parents import ParentSelection, PerInstancePareto
from evolver.search.race import Ceiling, Evaluator, race
from evolver.search.ranking import by_quality, first_front, select
from evolver.search.values import Evaluate, Generation, Ranked, SearchResult
from policies.genome import Genome, Lineage

CALLS = 600  # of one search, where no budget is given
FINALISTS = 4
FRESH_SHARE = 0.25  # of the examples, and of the calls, kept for the final comparison
PATIENCE = 5  # generations under one leader
TRIES = 20  # draws of an operator until one has something to work on


@dataclass(frozen=True, slots=True)
class Breeding:
    """How children are made. With `single_layer` each differs from the base in one layer, as a candidate must."""

    material: Material = field(default_factory=Material)
    operators: Sequence[Operator] = OPERATORS
    parents: ParentSelection = field(default_factory=PerInstancePareto)
    single_layer: bool = True


@dataclass(frozen=True, slots=True)
class _Birth:
    """A child, its parent, and how it came to be."""

    genome: Genome
    parent: Genome
    lineage: Lineage


async def search(
    seeds: Sequence[tuple[Genome, Lineage]] | Sequence[Genome],
    evaluate: Evaluate,
    *,
    examples: Sequence[Example],
    settings: Search,
    rng: np.random.Generator,
    breeding: Breeding | None = None,
    budget: Budget | None = None,
    ceiling: Ceiling | None = None,
    on_generation: Callable[[Generation], None] | None = None,
) -> SearchResult:
    """Look for genomes better than the first seed (the base, usually production), within a hard budget.

    Args:
        seeds: The base first, then proposals; genomes, or genomes with their lineage.
        evaluate: Scores of one genome on examples, in their order. Its errors (EvoGate's own, timeouts, OSError)
            cost the reservation and drop the genome; anything else is a bug and goes through.
        examples: At least one. A quarter is kept back for the final comparison where there are twelve or more.
        settings: Generations, population, early stop, dollars.
        rng: The only source of randomness.
        breeding: Material, operators, parent selection.
        budget: Shared with other spenders if wanted; else 600 calls and `settings.usd_per_cycle`.
        ceiling: The most that one evaluation can cost. Default: ten times the dearest recorded example; an
            evaluation that costs more closes the budget.
        on_generation: Told of each line of the history, for progress bars.
    """
    run = _Run(
        seeds=[seed if isinstance(seed, tuple) else (seed, Lineage(source="seed")) for seed in seeds],
        evaluate=evaluate,
        examples=examples,
        settings=settings,
        rng=rng,
        breeding=breeding or Breeding(),
        budget=budget or Budget(calls=CALLS, usd=settings.usd_per_cycle),
        ceiling=ceiling or _ceiling(examples),
    )
    return await run.run(on_generation or (lambda _: None))


def _ceiling(examples: Sequence[Example]) -> Ceiling:
    most = 10 * max(example.cost_usd for example in examples)
    return lambda _genome, _example: most


class _Run:
    """The state of one search."""

    def __init__(
        self,
        *,
        seeds: list[tuple[Genome, Lineage]],
        evaluate: Evaluate,
        examples: Sequence[Example],
        settings: Search,
        rng: np.random.Generator,
        breeding: Breeding,
        budget: Budget,
        ceiling: Ceiling,
    ) -> None:
        self.base = seeds[0][0]
        self.lineages = {genome.content_hash: lineage for genome, lineage in reversed(seeds)}
        self.settings, self.rng, self.breeding, self.budget, self.ceiling = settings, rng, breeding, budget, ceiling
        self.ledger = Ledger(self.base)
        self.evaluator = Evaluator(evaluate, self.ledger, budget, ceiling)
        self.bandit = OperatorBandit(breeding.operators)
        self.population = list({genome.content_hash: genome for genome, _ in seeds}.values())
        self.history: list[Generation] = []
        self.start = budget.calls, budget.usd
        shuffled = [examples[i] for i in rng.permutation(len(examples))]
        fresh = self._fresh(len(shuffled))
        self.fresh, self.racing = shuffled[:fresh], shuffled[fresh:]

    def _fresh(self, examples: int) -> int:
        """How many examples the final comparison gets: a share of them, and of the calls there are."""
        if examples < 12:
            return 0
        affordable = int(self.budget.affordable(0.0) * FRESH_SHARE) // (FINALISTS + 1)
        return min(int(examples * FRESH_SHARE), affordable)

    async def run(self, tell: Callable[[Generation], None]) -> SearchResult:
        """The whole search."""
        dearest = max((self.ceiling(self.base, example) for example in self.fresh), default=0.0)
        final = (FINALISTS + 1) * len(self.fresh)
        held = self.budget.reserve(final, min(final * dearest, self._left_usd() * FRESH_SHARE))
        reason = await self._generations(tell)
        if held is not None:
            self.budget.settle(held, calls=0, usd=0.0)
        return SearchResult(
            ranked=tuple(await self._final()),
            history=tuple(self.history),
            calls=self.budget.calls - self.start[0],
            usd=self.budget.usd - self.start[1],
            stopped=reason,
            faults=tuple(self.evaluator.faults),
        )

    def _left_usd(self) -> float:
        return max(0.0, self.budget.limit.usd - self.budget.usd)

    async def _generations(self, tell: Callable[[Generation], None]) -> str:
        conditions = (
            stops.reached(self.settings.early_stop_threshold),
            stops.generations(self.settings.num_generations),
            stops.converged(PATIENCE),
        )
        births: list[_Birth] = []
        while True:
            await self._generation(births)
            tell(self.history[-1])
            if self.evaluator.exhausted:
                return "budget used up"
            if reason := stops.first(conditions, self.history):
                return reason
            births = self._breed(len(self.history))
            if not births:
                return "nothing new to try"

    async def _generation(self, births: Sequence[_Birth]) -> None:
        """Race everyone, credit the operators, keep the best."""
        field = [*self.population, *(birth.genome for birth in births)]
        keep = max(2, self.settings.population // 2)
        measured = await race(field, self.racing, self.evaluator, base=self.base, keep=keep)
        for birth in births:
            calls = len(self.ledger.known(birth.genome))
            gain = self._quality(birth.genome) - self._quality(birth.parent) if calls else 0.0
            self.bandit.update(birth.lineage.operator, gain=gain, calls=calls)
        self.population = select(measured, self.ledger, self.settings.population)
        self.history.append(self._line())

    def _quality(self, genome: Genome) -> float:
        return self.ledger.objectives(genome).quality

    def _line(self) -> Generation:
        best = by_quality(self.population, self.ledger)[0]
        return Generation(
            number=len(self.history),
            best=best.content_hash,
            best_quality=self._quality(best),
            mean_quality=float(np.mean([self._quality(genome) for genome in self.population])),
            front=first_front(self.population, self.ledger),
            calls=self.budget.calls - self.start[0],
            usd=self.budget.usd - self.start[1],
            operators=self.bandit.chances(),
        )

    def _breed(self, generation: int) -> list[_Birth]:
        """As many new children as the population is large; fewer where operators run out of ideas."""
        births: list[_Birth] = []
        for _ in range(self.settings.population):
            birth = next((born for _ in range(TRIES) if (born := self._child(generation)) is not None), None)
            if birth is not None:
                self.lineages[birth.genome.content_hash] = birth.lineage
                births.append(birth)
        return births

    def _child(self, generation: int) -> _Birth | None:
        """One try: None where the operator had nothing to work on, or the child is already known."""
        operator, breeding = self.bandit.pull(self.rng), self.breeding
        parents = [breeding.parents.choose(self.population, self.ledger, self.rng) for _ in range(operator.parents)]
        child = operator.apply(parents, breeding.material, self.rng)
        if child is None:
            return None
        child = confine(
            child, parents[0], self.base, breeding.material, single_layer=breeding.single_layer, rng=self.rng
        )
        if child.content_hash in self.lineages:
            return None
        hashes = tuple(dict.fromkeys(parent.content_hash for parent in parents))
        lineage = Lineage(source="genetic", operator=operator.name, parents=hashes, generation=generation)
        return _Birth(child, parents[0], lineage)

    async def _final(self) -> list[Ranked]:
        """The finalists on fresh examples, best lower bound first."""
        finalists = [one for one in by_quality(self.population, self.ledger) if one != self.base][:FINALISTS]
        within = None  # without fresh examples, or money for them, the race's own have to do
        if self.fresh and await self.evaluator.measure(self.base, self.fresh):
            measured = [genome for genome in finalists if await self.evaluator.measure(genome, self.fresh)]
            if measured:
                finalists, within = measured, [example.id for example in self.fresh]
        ranked = [self._ranked(genome, within) for genome in finalists]
        return sorted(ranked, key=lambda one: (-one.gain_low, one.objectives.cost_usd, one.genome.content_hash))

    def _ranked(self, genome: Genome, within: Sequence[str] | None) -> Ranked:
        gain, low, n = self.ledger.gain(genome, within)
        lineage = self.lineages[genome.content_hash]
        return Ranked(genome, lineage, self.ledger.objectives(genome), gain, low, n)
