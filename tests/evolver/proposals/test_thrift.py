"""What may save money is proposed in every cycle: a cheaper model, one call for several, fewer words."""

import numpy as np
import pytest

from config.upstreams import Model
from evolver.proposals import propose
from evolver.proposals.templates import WORKED_RESULT
from evolver.proposals.thrift import OPERATOR, savings
from evolver.proposals.values import SetGene, Together
from policies.genome import Genome, PromptLayer, StrategyLayer
from tests.evolver.analysis.worlds import example
from tests.evolver.proposals.worlds import MODELS, failures, finding

SERVED = [example(i, model="provider-large") for i in range(5)]


def offspring(production: Genome, models: dict[str, Model] = MODELS) -> dict[str, Genome]:
    """What each saving would make of that genome, by its name."""
    found = {}
    for idea in savings(production, SERVED, models):
        changed = idea.edit.apply(production)
        if changed is not None:
            found[idea.operator.removeprefix(OPERATOR)] = changed
    return found


async def test_savings_stand_beside_what_answers_a_finding() -> None:
    bad = failures(10, failure="refusal")
    production = Genome(strategy=StrategyLayer(model_key="large"))
    made = await propose(production, [finding(bad)], bad, models=MODELS, rng=np.random.default_rng(0))
    cheaper = [one for one in made if one.lineage.operator == f"{OPERATOR}model"]
    assert [one.genome.strategy.model_key for one in cheaper] == ["medium"]
    assert cheaper[0].lineage.finding is None
    assert any(one.lineage.finding is not None for one in made)


async def test_a_saving_that_was_tried_is_not_proposed_again() -> None:
    production = Genome(strategy=StrategyLayer(model_key="large"))
    first = await propose(production, [], SERVED, models=MODELS, rng=np.random.default_rng(0))
    tried = {one.genome.content_hash for one in first}
    again = await propose(production, [], SERVED, models=MODELS, rng=np.random.default_rng(0), tombstones=tried)
    assert not tried & {one.genome.content_hash for one in again}


@pytest.mark.parametrize(
    ("strategy", "name", "gene", "value"),
    [
        (StrategyLayer(model_key="large", use_consensus=True), "one_voice", "use_consensus", False),
        (StrategyLayer(model_key="large", cascade_model="small"), "alone", "model_key", "small"),
        (StrategyLayer(model_key="large"), "model", "model_key", "medium"),
    ],
)
def test_several_calls_give_way_to_one(strategy: StrategyLayer, name: str, gene: str, value: object) -> None:
    changed = offspring(Genome(strategy=strategy))[name]
    assert getattr(changed.strategy, gene) == value
    assert name != "alone" or changed.strategy.cascade_model is None


def test_reasoning_about_everything_gives_way_to_brevity() -> None:
    wordy = Genome(prompt=PromptLayer(cot=True, verbosity="thorough"))
    silent = offspring(wordy)["silent"]
    assert (silent.prompt.cot, silent.prompt.verbosity) == (False, "brief")
    assert [rule.text for rule in silent.prompt.rubric] == [WORKED_RESULT.text]
    assert "silent" not in offspring(silent)
    assert "brief" not in offspring(silent)


def test_the_cheapest_model_has_none_below_it() -> None:
    assert {"model", "cascade"}.isdisjoint(offspring(Genome(strategy=StrategyLayer(model_key="small"))))


def test_edits_made_together_change_nothing_where_they_are_set_already() -> None:
    both = Together((SetGene("cot", value=True), SetGene("verbosity", "brief")))
    changed = both.apply(Genome())
    assert changed is not None
    assert both.apply(changed) is None
    assert (both.layer, both.text) == ("prompt", "")
