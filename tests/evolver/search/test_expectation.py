"""What a comparison's outcome is expected to score: no flattery, and nothing out of thin air."""

import numpy as np
import pytest

from evolver.search.expectation import crossed, expected_quality
from evolver.search.ledger import Ledger
from evolver.search.values import Score
from policies.genome import Genome, StrategyLayer
from tests.evolver.search.worlds import EXAMPLES

BASE = Genome()
OTHER = Genome(strategy=StrategyLayer(temperature=0.1))


def scored(base: list[float], other: list[float]) -> tuple[Ledger, list[str]]:
    ledger, examples = Ledger(BASE), EXAMPLES[: len(base)]
    ledger.record(BASE, examples, [Score(quality) for quality in base])
    ledger.record(OTHER, examples, [Score(quality) for quality in other])
    return ledger, [example.id for example in examples]


def test_genomes_that_are_all_alike_promise_nothing() -> None:
    rng = np.random.default_rng(3)
    gains = [np.vstack([np.zeros(15), rng.choice([-1.0, 0.0, 1.0], (4, 15))]) for _ in range(600)]
    error = 4 * np.sqrt(2 / 3 / 15 / 600)
    assert abs(np.mean([crossed(one) for one in gains])) < error
    assert np.mean([one.mean(axis=1).max() for one in gains]) > 0.15  # what the best says of itself


def test_a_clear_gain_is_told_in_full() -> None:
    ledger, ids = scored([0.0] * 12, [1.0] * 12)
    assert expected_quality([OTHER], BASE, ledger, ids) == 1.0


def test_where_nothing_gains_it_is_what_the_base_scores() -> None:
    ledger, ids = scored([1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    assert expected_quality([OTHER], BASE, ledger, ids) == pytest.approx(0.75)
    assert expected_quality([OTHER], BASE, ledger, None) == pytest.approx(0.75)


def test_without_scores_there_is_nothing_to_expect() -> None:
    assert expected_quality([OTHER], BASE, Ledger(BASE), None) is None
