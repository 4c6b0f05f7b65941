"""The genetic search: race the seeds, then breed, race and select, until a stop condition or the budget ends it."""

from collections.abc import Callable, Sequence

import numpy as np

from config.evolving import Search
from evolver.examples import Example
from evolver.search import stops
from evolver.search.breeding import RESTART, SURROGATE, Birth, Breeding, Nursery
from evolver.search.budget import Budget
from evolver.search.expectation import expected_quality
from evolver.search.hypervolume import of_genomes
from evolver.search.journal import Journal
from evolver.search.ledger import Ledger
from evolver.search.race import Ceiling, Evaluator, measured_base, race
from evolver.search.ranking import by_quality, first_front, select
from evolver.search.values import Evaluate, Generation, Ranked, SearchResult
from policies.genome import Genome, Lineage

FINALISTS = 4
FRESH_SHARE = 0.25  # of the examples, and of the calls, kept for the final comparison
PATIENCE = 8  # generations under one leader
BROOD = 8  # children of a generation
ELITE = 3  # of the population that race again beside them, on other examples: a lucky leader is found out
SOLVED_LATER = 0.5  # how far examples that the base solves stand back in the order, in lengths of the whole


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
    journal: Journal | None = None,
    on_generation: Callable[[Generation], None] | None = None,
) -> SearchResult:
    """Look for genomes better than the first seed (the base, usually production), within a hard budget.

    Args:
        seeds: The base first, then proposals; genomes, or genomes with their lineage.
        evaluate: Scores of one genome on examples, in their order. Its errors (EvoGate's own, timeouts, OSError)
            cost the reservation and drop the genome; anything else is a bug and goes through.
        examples: At least one. A quarter is kept back for the final comparison where there are twelve or more.
        settings: Generations, population, early stop, restarts, budget.
        rng: The only source of randomness.
        breeding: Material, operators, parent selection.
        budget: Shared with other spenders if wanted; default: `settings.calls_per_cycle` and `.usd_per_cycle`.
        ceiling: The most that one evaluation can cost. Default: ten times the dearest recorded example; an
            evaluation that costs more closes the budget.
        journal: Where evaluations are entered; what it has from before a kill is not made again. All other arguments
            must then be those of the search that was killed.
        on_generation: Told of each line of the history, for progress bars.
    """
    run = _Run(
        seeds=[seed if isinstance(seed, tuple) else (seed, Lineage(source="seed")) for seed in seeds],
        evaluate=evaluate,
        examples=examples,
        settings=settings,
        rng=rng,
        breeding=breeding or Breeding(),
        budget=budget or Budget(calls=settings.calls_per_cycle, usd=settings.usd_per_cycle),
        ceiling=ceiling or _ceiling(examples),
        journal=journal,
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
        journal: Journal | None,
    ) -> None:
        self.base = seeds[0][0]
        self.settings, self.budget, self.ceiling, self.journal = settings, budget, ceiling, journal
        self.ledger = Ledger(self.base)
        self.evaluator = Evaluator(evaluate, self.ledger, budget, ceiling, journal)
        lineages = {genome.content_hash: lineage for genome, lineage in reversed(seeds)}
        self.nursery = Nursery(self.base, breeding, rng, lineages)
        self.population = list({genome.content_hash: genome for genome, _ in seeds}.values())
        self.leaders: list[Genome] = []  # of the populations before each restart
        self.history: list[Generation] = []
        self.restarted = 0  # the generation
        self.rng = rng
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
        ranked, winner, expected = await self._final()
        return SearchResult(
            ranked=tuple(ranked),
            history=tuple(self.history),
            calls=self.budget.calls - self.start[0],
            usd=self.budget.usd - self.start[1],
            stopped=reason,
            faults=tuple(self.evaluator.faults),
            expected_quality=expected,
            winner=winner,
        )

    def _left_usd(self) -> float:
        return max(0.0, self.budget.limit.usd - self.budget.usd)

    async def _generations(self, tell: Callable[[Generation], None]) -> str:
        """Until something ends it: the reason."""
        births: list[Birth] = []
        while True:
            await self._generation(births)
            tell(self.history[-1])
            if reason := self._over():
                return reason
            births = self._next(len(self.history))
            if not births:
                return "nothing new to try"

    def _over(self) -> str:
        """Why the search ends here; empty where it goes on."""
        if self.evaluator.exhausted:
            return "budget used up"
        if not self.ledger.known(self.base):
            return "the answers of the genome in production could not be measured"
        conditions = [stops.generations(self.settings.num_generations)]
        unseen = self.ledger.missing(self._best_first()[0], self.racing)
        if len(unseen) <= len(self.racing) / 2:  # few examples are easily all solved
            conditions.append(stops.reached(self.settings.early_stop_threshold))
        if reason := stops.first(conditions, self.history):
            return reason
        settled = stops.converged(PATIENCE)(self.history[self.restarted :])
        return settled if len(self.leaders) == self.settings.restarts else ""

    def _next(self, generation: int) -> list[Birth]:
        """Children of the population; where it has settled on one leader, a new population around the base."""
        size = min(BROOD, self.settings.population)
        if not stops.converged(PATIENCE)(self.history[self.restarted :]):
            return self.nursery.breed(self.population, self.ledger, size, generation)
        self.leaders.append(by_quality(self.population, self.ledger)[0])
        self.population, self.restarted = [self.base], generation
        return self.nursery.walks(size, generation)

    async def _generation(self, births: Sequence[Birth]) -> None:
        """Race the children beside the best so far (at first all seeds), credit the operators, keep the best."""
        others = [genome for genome in self._best_first() if genome != self.base] if births else self.population
        field = [*others[: ELITE if births else None], *(birth.genome for birth in births)]
        measured = await race(field, self._order(), self.evaluator, base=self.base, keep=ELITE)
        for birth in births:
            if birth.lineage.operator not in {RESTART, SURROGATE}:
                calls = len(self.ledger.known(birth.genome))
                gain = self._quality(birth.genome) - self._quality(birth.parent) if calls else 0.0
                self.nursery.bandit.update(birth.lineage.operator, gain=gain, calls=calls)
        everyone = list(dict.fromkeys([*self.population, *measured]))
        known = [genome for genome in everyone if genome == self.base or self.ledger.known(genome)]
        self.population = select(known, self.ledger, self.settings.population)
        self.history.append(self._line())
        if self.journal is not None:
            self.journal.generation(self.history[-1])

    def _order(self) -> list[Example]:
        """The examples of one race: in an order of its own, those that the base is known to solve rather late."""
        solved = self.ledger.qualities(self.base)
        places = self.rng.random(len(self.racing))
        late = np.array([SOLVED_LATER * solved.get(example.id, 0.0) for example in self.racing])
        return [self.racing[i] for i in np.argsort(places + late, kind="stable")]

    def _quality(self, genome: Genome) -> float:
        return self.ledger.objectives(genome).quality

    def _best_first(self) -> list[Genome]:
        everyone = {genome.content_hash: genome for genome in (*self.population, *self.leaders)}
        return by_quality(list(everyone.values()), self.ledger)

    def _line(self) -> Generation:
        ordered = self._best_first()
        return Generation(
            number=len(self.history),
            best=ordered[0].content_hash,
            best_quality=self._quality(ordered[0]),
            mean_quality=float(np.mean([self._quality(genome) for genome in self.population])),
            front=first_front(self.population, self.ledger),
            hypervolume=of_genomes(ordered, self.base, self.ledger),
            restarts=len(self.leaders),
            calls=self.budget.calls - self.start[0],
            usd=self.budget.usd - self.start[1],
            operators=self.nursery.bandit.chances(),
        )

    async def _final(self) -> tuple[list[Ranked], Ranked | None, float | None]:
        """The finalists on fresh examples, best lower bound first, who won, and what to expect of the outcome."""
        believed = self.nursery.believed(self.population, self.ledger)
        best = [one for one in dict.fromkeys([believed, *self._best_first()]) if one != self.base]
        finalists, within = best[:FINALISTS], None  # without fresh examples, or money for them, the race's have to do
        if finalists and self.fresh and await measured_base(self.evaluator, self.base, self.fresh):
            measured = [genome for genome in finalists if await self.evaluator.measure(genome, self.fresh)]
            if measured:
                finalists, within = measured, [example.id for example in self.fresh]
        ranked = [self._ranked(genome, within) for genome in finalists if self.ledger.known(genome)]
        ranked.sort(key=lambda one: (-one.gain_low, one.objectives.cost_usd, one.genome.content_hash))
        winner = ranked[0] if within is not None and ranked and ranked[0].gain > 0.0 else None
        chosen = winner.genome if winner else None
        return ranked, winner, expected_quality(finalists, self.base, self.ledger, within, chosen)

    def _ranked(self, genome: Genome, within: Sequence[str] | None) -> Ranked:
        gain, low, n = self.ledger.gain(genome, within)
        lineage = self.nursery.lineages[genome.content_hash]
        return Ranked(genome, lineage, self.ledger.objectives(genome), gain, low, n)
