"""Who breeds, what scores are taken to say, and which operator is drawn next."""

from collections import Counter

import numpy as np
import pytest

from evolver.search import OPERATORS, ParentSelection, PerInstancePareto, Score, Tournament
from evolver.search.ledger import Ledger
from evolver.search.operator_bandit import OperatorBandit
from evolver.search.ranking import by_quality, select
from policies.genome import Genome, PromptLayer, StrategyLayer
from tests.evolver.search.worlds import BASE, EXAMPLES, GOOD, World


@pytest.mark.parametrize("strategy", [Tournament(), PerInstancePareto()])
async def test_parent_selection_prefers_the_better(strategy: ParentSelection) -> None:
    genomes = [BASE, Genome(prompt=PromptLayer(rubric=GOOD)), Genome(strategy=StrategyLayer(model_key="small"))]
    ledger, world = Ledger(BASE), World(10, noise=0.02)
    for genome in genomes:
        ledger.record(genome, EXAMPLES, await world.evaluate(genome, EXAMPLES))
    rng = np.random.default_rng(0)
    chosen = Counter(strategy.choose(genomes, ledger, rng).content_hash for _ in range(200))
    assert chosen.most_common(1)[0][0] == genomes[1].content_hash
    assert by_quality(genomes, ledger)[0] == genomes[1]


async def test_a_specialist_breeds_though_its_mean_is_low() -> None:
    generalist, specialist = Genome(prompt=PromptLayer(cot=True)), Genome(prompt=PromptLayer(tone="formal"))
    ledger = Ledger(BASE)
    for genome, low, high in ((BASE, 0.1, 0.1), (generalist, 0.8, 0.2), (specialist, 0.1, 0.9)):
        scores = [Score(low if i < 28 else high) for i in range(32)]
        ledger.record(genome, EXAMPLES, scores)
    rng = np.random.default_rng(0)
    population = [BASE, generalist, specialist]
    chosen = Counter(PerInstancePareto().choose(population, ledger, rng).content_hash for _ in range(400))
    assert chosen[BASE.content_hash] == 0
    assert 400 * 4 / 32 * 0.5 < chosen[specialist.content_hash] < 400 * 4 / 32 * 1.6


async def test_who_adds_nothing_is_pruned() -> None:
    better, double = Genome(prompt=PromptLayer(cot=True)), Genome(prompt=PromptLayer(tone="formal"))
    ledger = Ledger(BASE)
    for genome, first in ((BASE, 0.1), (better, 0.9), (double, 0.8)):
        ledger.record(genome, EXAMPLES, [Score(first), *[Score(0.0 if genome == BASE else 0.5)] * 31])
    rng = np.random.default_rng(0)
    chosen = {PerInstancePareto().choose([BASE, better, double], ledger, rng).content_hash for _ in range(100)}
    assert chosen == {better.content_hash}


def test_few_lucky_examples_move_an_estimate_little() -> None:
    lucky, solid = Genome(prompt=PromptLayer(cot=True)), Genome(prompt=PromptLayer(tone="formal"))
    ledger = Ledger(BASE)
    ledger.record(BASE, EXAMPLES, [Score(0.4, 1000.0, 0.01)] * 32)
    ledger.record(lucky, EXAMPLES[:2], [Score(1.0, 500.0, 0.01)] * 2)
    ledger.record(solid, EXAMPLES, [Score(0.8, 1000.0, 0.01)] * 32)
    assert ledger.objectives(lucky).quality == pytest.approx(0.4 + 0.6 * 2 / 6)
    assert ledger.objectives(lucky).latency_ms == pytest.approx(1000 - 500 * 2 / 6)
    assert by_quality([lucky, solid, BASE], ledger) == [solid, lucky, BASE]
    assert ledger.gain(solid)[1] > ledger.gain(lucky)[1]


def test_differences_are_paired() -> None:
    """A genome that was shown the hard examples only is compared with the base on those."""
    genome, ledger = Genome(prompt=PromptLayer(cot=True)), Ledger(BASE)
    ledger.record(BASE, EXAMPLES, [Score(0.1 if i < 16 else 0.9) for i in range(32)])
    ledger.record(genome, EXAMPLES[:16], [Score(0.3)] * 16)
    mean, low, n = ledger.gain(genome)
    assert n == 16
    assert mean == pytest.approx(0.2)
    assert 0.1 < low < 0.2
    assert ledger.objectives(genome).quality > ledger.objectives(BASE).quality


def test_cheap_at_the_price_of_quality_is_not_selected() -> None:
    cheap, equal = Genome(strategy=StrategyLayer(model_key="a")), Genome(strategy=StrategyLayer(model_key="b"))
    ledger = Ledger(BASE)
    for genome, quality, cost in ((BASE, 0.8, 0.01), (cheap, 0.4, 0.0001), (equal, 0.79, 0.005)):
        ledger.record(genome, EXAMPLES, [Score(quality, 500.0, cost)] * 32)
    assert select([cheap, equal, BASE], ledger, 2) == [BASE, equal]


def test_the_bandit_learns_which_operator_pays() -> None:
    bandit = OperatorBandit(OPERATORS)
    assert bandit.chances() == pytest.approx(dict.fromkeys(bandit.chances(), 1 / len(OPERATORS)))
    for _ in range(50):
        for operator in OPERATORS:
            bandit.update(operator.name, gain=0.1 if operator.name == "add_rule" else 0.0, calls=8)
    chances = bandit.chances()
    assert chances["add_rule"] > 0.5
    assert min(chances.values()) >= 0.02
    assert sum(chances.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("quality", "latency", "cost"), [(1.1, 0, 0), (float("nan"), 0, 0), (0.5, -1, 0), (0.5, 0, float("inf"))]
)
def test_scores_must_be_scores(quality: float, latency: float, cost: float) -> None:
    with pytest.raises(ValueError, match="not a score"):
        Score(quality, latency, cost)
