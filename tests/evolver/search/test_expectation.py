"""What a comparison's outcome is expected to score: no flattery, and nothing out of thin air."""

import numpy as np
import pytest

from evolver.search.expectation import crossed, expected_quality, shrunk
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
    assert expected_quality([OTHER], BASE, ledger, ids, OTHER) == 1.0


def test_where_nothing_gains_it_is_what_the_base_scores() -> None:
    ledger, ids = scored([1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0])
    assert expected_quality([OTHER], BASE, ledger, ids, None) == pytest.approx(0.75)
    assert expected_quality([OTHER], BASE, ledger, None, OTHER) == pytest.approx(0.75)


def test_without_scores_there_is_nothing_to_expect() -> None:
    assert expected_quality([OTHER], BASE, Ledger(BASE), None, None) is None


def chosen(rng: np.random.Generator, spread: float) -> tuple[float, float, float, float]:
    """Four finalists on fifteen examples: the errors of what the best says, of both remedies, and of their mean."""
    true = 0.1 + spread * rng.normal(size=4)
    shared = 0.3 * rng.normal(size=15)
    gains = true[:, None] + shared + 0.4 * rng.normal(size=(4, 15))
    best = int(gains.mean(axis=1).argmax())
    said = float(gains[best].mean()), shrunk(gains, best), crossed(gains)
    return (*(one - true[best] for one in said), (said[1] + said[2]) / 2.0 - true[best])


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.2])
def test_the_two_remedies_err_less_than_the_winner_and_their_mean_hardly(spread: float) -> None:
    rng = np.random.default_rng(11)
    errors = np.array([chosen(rng, spread) for _ in range(3_000)])
    said, drawn, cross, both = errors.mean(axis=0)
    noise = 3 * errors[:, 3].std() / np.sqrt(len(errors))
    assert said > 0.03
    assert cross - noise < both < drawn + noise
    assert abs(both) < 0.01 + noise
    assert (errors[:, 3] ** 2).mean() < (errors[:, 2] ** 2).mean()


def test_one_finalist_or_one_example_is_taken_at_its_word() -> None:
    assert shrunk(np.array([[0.0, 1.0]]), 0) == 0.5
    assert shrunk(np.array([[0.25], [0.75]]), 1) == 0.75
    assert shrunk(np.array([[0.5, 0.5], [0.5, 0.5]]), 1) == 0.5
