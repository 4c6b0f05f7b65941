"""Proposals whose effect takes several calls, and that the search leaves them to the traffic."""

import numpy as np
import pytest

from evolver.proposals.strategy import strategy_ideas
from evolver.proposals.thrift import savings
from evolver.proposals.values import SetGene
from evolver.search.operators import OPERATORS, Material
from policies.genome import Genome, StrategyLayer
from tests.evolver.analysis.worlds import example
from tests.evolver.proposals.worlds import MODELS, PRODUCTION, failures, finding

LARGE = Genome(strategy=StrategyLayer(model_key="large"))


def genes(ideas: list[object]) -> dict[str, object]:
    edits = [idea.edit for idea in ideas]  # type: ignore[attr-defined]
    return {edit.gene: edit.value for edit in edits if isinstance(edit, SetGene)}


@pytest.mark.parametrize("failure", ["invalid_output", "invalid_tool_call"])
def test_answers_of_the_wrong_shape_suggest_repairs(failure: str) -> None:
    bad = failures(5, failure=failure)
    assert genes([*strategy_ideas(PRODUCTION, finding(bad), bad, MODELS)])["repairs"] == "ask"
    done = Genome(strategy=StrategyLayer(repairs="ask"))
    assert "repairs" not in genes([*strategy_ideas(done, finding(bad), bad, MODELS)])


def test_wrong_answers_suggest_a_vote() -> None:
    bad = failures(5)
    assert genes([*strategy_ideas(PRODUCTION, finding(bad), bad, MODELS)])["use_consensus"] is True


def test_saving_suggests_a_cascade_and_then_more_trust() -> None:
    examples = [example(i, model="provider-large") for i in range(5)]
    assert genes([*savings(LARGE, examples, MODELS)])["cascade_model"] == "medium"
    has = Genome(strategy=StrategyLayer(model_key="large", cascade_model="medium"))
    assert genes([*savings(has, examples, MODELS)])["cascade_threshold"] == 0.5


def test_the_search_leaves_alone_what_its_replays_can_not_see() -> None:
    rng, material = np.random.default_rng(1), Material(model_keys=("large", "small"))
    for operator in OPERATORS:
        for _ in range(30):
            child = operator.apply([LARGE, PRODUCTION], material, rng)
            assert (
                child is None
                or child.strategy.model_copy(
                    update={"model_key": None, "temperature": None, "top_p": None, "max_tokens": None}
                )
                == StrategyLayer()
            )
