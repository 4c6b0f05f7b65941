"""The best rules of several findings as one proposal."""

from dataclasses import replace

import numpy as np

from evolver.proposals import propose, scope_check
from evolver.proposals.bundle import MOST, bundle
from evolver.proposals.recorded import Recorded
from evolver.proposals.values import AddRule, Proposal
from policies.genome import Genome, Lineage, StrategyLayer
from tests.evolver.proposals.worlds import MODELS, PRODUCTION, failures, finding

NOTHING_RECORDED = Recorded([])


def proposing(text: str, score: float = 0.2) -> Proposal:
    genome = AddRule(text).apply(PRODUCTION)
    assert genome is not None
    return Proposal(genome, "prompt", Lineage(source="patch", operator="template:x", finding=text), score)


def added(genome: Genome) -> list[str]:
    return [rule.text for rule in genome.prompt.rubric if rule not in PRODUCTION.prompt.rubric]


def test_each_findings_best_rule_is_in_it() -> None:
    served = [[proposing("One."), proposing("Other.")], [proposing("Two.")], [proposing("Three.")]]
    made = bundle(PRODUCTION, served, NOTHING_RECORDED, ())
    assert made is not None
    assert added(made.genome) == ["One.", "Two.", "Three."]
    assert made.score > max(proposal.score for proposals in served for proposal in proposals)
    assert made.lineage.finding == "One."
    assert len(made.lineage.parents) == 4
    assert scope_check(PRODUCTION, made.genome, "prompt") == []


def test_a_finding_whose_best_idea_is_no_rule_gives_its_best_rule() -> None:
    cooler = PRODUCTION.model_copy(update={"strategy": StrategyLayer(temperature=0.1)})
    strategy = Proposal(cooler, "strategy", Lineage(source="patch"), 0.9)
    made = bundle(PRODUCTION, [[strategy, proposing("One.")], [proposing("Two.")]], NOTHING_RECORDED, ())
    assert made is not None
    assert added(made.genome) == ["One.", "Two."]


def test_one_rule_is_no_bundle_and_the_same_rule_twice_is_one() -> None:
    assert bundle(PRODUCTION, [[proposing("One.")]], NOTHING_RECORDED, ()) is None
    assert bundle(PRODUCTION, [[proposing("One.")], [proposing("One.")]], NOTHING_RECORDED, ()) is None


def test_rules_are_not_piled_up() -> None:
    made = bundle(PRODUCTION, [[proposing(f"Rule {n}.")] for n in range(20)], NOTHING_RECORDED, ())
    assert made is not None
    assert len(added(made.genome)) == MOST


def test_a_bundle_that_failed_is_not_proposed_again() -> None:
    served = [[proposing("One.")], [proposing("Two.")]]
    made = bundle(PRODUCTION, served, NOTHING_RECORDED, ())
    assert made is not None
    assert bundle(PRODUCTION, served, NOTHING_RECORDED, {made.genome.content_hash}) is None


async def test_it_stands_first_among_the_proposals() -> None:
    labels = failures(10, failure=None, corrected=True, correction="positive")
    dates = [
        replace(example, id=f"date-{example.id}")
        for example in failures(10, failure=None, corrected=True, correction="2024-03-01")
    ]
    examples = [*labels, *dates]
    made = await propose(
        PRODUCTION, [finding(labels), finding(dates)], examples, models=MODELS, rng=np.random.default_rng(0)
    )
    assert made[0].lineage.operator == "bundle"
    assert len(added(made[0].genome)) == 2
