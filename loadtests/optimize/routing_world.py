"""Recorded outcomes of a weak and a strong model, and genes without a word: which model, or the router and its weights.

An answer is worth nine tenths where it is right, and a tenth less the share of the strong model's price that it cost.
Rows are halved by a hash of their prompt, as in `loadtests.strategy`: the router has learnt a part of the tuning half,
optimizers see examples of the rest of it, and the truth is the mean over the other half.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from evolver.examples import Example
from evolver.search import GENES, Material, Score
from evolver.training import Answered
from loadtests.optimize.world import example_of
from loadtests.strategy.outcomes import RECORDED, STRONG_USD, WEAK_USD, Floats, Row, Table, halves
from policies.genome import Genome, StrategyLayer
from policies.strategy.features import features
from policies.strategy.router import AUTO, Choice, Router, Weights

FILE = RECORDED
EXAMPLES = 300
LEARNT, UNSEEN = 1_280, 2_000  # rows that the router has learnt, and that the report is made on
THRIFT = 0.1
WEAK, STRONG = "weak", "strong"
SEARCHED = frozenset({"model_key", "router_similarity", "router_capability", "router_rating", "router_cost"})


class Routed(NamedTuple):
    """Rows with what the router says of them: (row, model, term), latency left out, for it is alike."""

    table: Table
    terms: Floats

    def scored(self, genome: Genome, at: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """(quality, US dollars) of each row, or of those at these places."""
        strong = self._strong(genome)
        right, usd = self.table.served(strong)
        quality = (1.0 - THRIFT) * right + THRIFT * (1.0 - usd / self.table.strong_usd)
        chosen = slice(None) if at is None else list(at)
        return quality[chosen], usd[chosen]

    def _strong(self, genome: Genome) -> Floats:
        key = genome.strategy.model_key
        if key != AUTO:
            return np.full(len(self.terms), float(key == STRONG))
        s = genome.strategy
        signed = np.array((s.router_similarity, s.router_capability, s.router_rating, -s.router_cost))
        scores = self.terms @ signed
        return np.asarray(scores[:, 1] > scores[:, 0], dtype=float)


@cache
def routed() -> tuple[Routed, Routed]:
    """(what optimizers draw examples from, what is reported)."""
    tuning, reported = halves(0)
    router = Router([Choice(WEAK, 0.0, WEAK_USD, WEAK_USD), Choice(STRONG, 1.0, STRONG_USD, STRONG_USD)])
    for row in tuning[:LEARNT]:
        vector = features(row.prompt)
        router.learn(WEAK, vector, row.weak, ms=1.0, tokens=0)
        router.learn(STRONG, vector, row.strong, ms=1.0, tokens=0)
    return _with_terms(router, tuning[LEARNT : LEARNT + UNSEEN]), _with_terms(router, reported[:UNSEEN])


def _with_terms(router: Router, rows: Sequence[Row]) -> Routed:
    found = (router.route(row.prompt, row.tokens, (0, 1), Weights()).terms for row in rows)
    return Routed(Table.of(rows), np.array([(terms[WEAK][:4], terms[STRONG][:4]) for terms in found]))


class RoutingWorld:
    """The seed draws the examples; production asks the strong model whatever the question.

    Where it does not report, its truth is the mean over the tuning half.
    """

    def __init__(self, seed: int, *, reporting: bool = True) -> None:
        self.name = "routing outcomes"
        self.calls = 0
        self._seen, reported = routed()
        self._truth = reported if reporting else self._seen
        self._rows = np.random.default_rng(seed).permutation(len(self._seen.terms))[:EXAMPLES].tolist()
        self.base = Genome(strategy=StrategyLayer(model_key=STRONG))
        frozen = frozenset(gene.name for gene in GENES) - SEARCHED
        self.material = Material(model_keys=(WEAK, STRONG, AUTO), layers=("strategy",), frozen=frozen)
        self.examples: Sequence[Example] = [example_of(i, {"messages": []}) for i in range(EXAMPLES)]

    async def evaluate(self, genome: Genome, examples: Sequence[Example]) -> list[Score]:
        self.calls += len(examples)
        quality, usd = self._seen.scored(genome, [self._rows[int(example.id[1:])] for example in examples])
        return [Score(float(one), 0.0, float(cost)) for one, cost in zip(quality, usd, strict=True)]

    async def ask(self, genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        return [Answered(score, "") for score in await self.evaluate(genome, examples)]

    def truth(self, genome: Genome) -> float:
        return float(self._truth.scored(genome)[0].mean())
