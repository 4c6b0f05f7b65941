"""From findings to proposals: the right patches, one layer each, ranked, distinct, and free of recorded text."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evolver.examples import Example
from evolver.proposals import Proposal, propose, scope_check
from evolver.proposals.rank import clarity, distinct, score
from evolver.proposals.recorded import Recorded
from evolver.proposals.signals import signals
from evolver.proposals.templates import TEMPLATES, template_ideas
from evolver.proposals.values import AddRule, Idea
from policies.genome import Genome, PromptLayer, Rule, StrategyLayer
from policies.lint import lint
from tests.evolver.analysis.worlds import example
from tests.evolver.proposals.injections import INJECTIONS
from tests.evolver.proposals.worlds import MODELS, PRODUCTION, failures, finding, says


async def proposals(bad: list[Example], good: list[Example] | None = None, **changes: Any) -> list[Proposal]:
    arguments: dict[str, Any] = {"models": MODELS, "rng": np.random.default_rng(0)}
    return behind(await propose(PRODUCTION, [finding(bad, good)], [*bad, *(good or [])], **(arguments | changes)))


def behind(made: list[Proposal]) -> list[Proposal]:
    """Those that answer a finding; what may save money is proposed beside them."""
    return [proposal for proposal in made if proposal.lineage.finding is not None]


def operators(made: list[Proposal]) -> set[str]:
    return {proposal.lineage.operator for proposal in made}


def answer(text: str) -> dict[str, Any]:
    return {"text": text, "tool_calls": [], "finish_reason": "stop"}


WANTS_JSON = {"messages": [{"role": "user", "content": "as JSON"}], "response_format": {"type": "json_object"}}
SUM = {"messages": [{"role": "user", "content": "I had 12 apples and ate 5. How many are left?"}]}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"failure": "invalid_output", "body": WANTS_JSON, "answer": answer("```json\n{}\n```")}, "template:json_only"),
        ({"failure": "invalid_output", "body": WANTS_JSON, "answer": answer("{}")}, "template:json_fields"),
        ({"failure": "invalid_tool_call", "body": SUM | {"tools": [{}]}}, "template:tool_arguments"),
        ({"failure": None, "corrected": True, "correction": "positive"}, "template:label_only"),
        ({"failure": None, "corrected": True, "correction": "7", "body": SUM}, "template:step_by_step"),
        ({"failure": None, "score": 0.0, "correction": "please cite your source"}, "template:reference"),
        ({"failure": None, "corrected": True, "correction": "2024-03-01"}, "template:iso_dates"),
        ({"failure": None, "corrected": True, "correction": "FINE"}, "template:exact_case"),
        ({"failure": "refusal"}, "template:no_refusal"),
        ({"failure": None, "score": 0.0, "correction": "that was rude"}, "template:friendly"),
        ({"failure": None, "score": 0.0, "correction": "too casual for our customers"}, "template:formal"),
        ({"failure": None, "score": 0.0, "correction": "please explain it in more detail"}, "template:fuller"),
        ({"failure": "too_slow"}, "template:brief"),
        ({"failure": "cut_short"}, "strategy:more_tokens"),
        ({"failure": "too_dear"}, "strategy:faster"),
        ({"failure": "judged_bad"}, "strategy:stronger"),
        ({"failure": "judged_bad"}, "strategy:cooler"),
    ],
)
async def test_complaints_find_their_patch(changes: dict[str, Any], expected: str) -> None:
    made = await proposals(failures(10, **changes))
    assert expected in operators(made)
    assert 2 <= len(made) <= 5


async def test_every_proposal_is_one_valid_layer_with_its_reason() -> None:
    made = await proposals(failures(10, failure="invalid_output", body=WANTS_JSON, answer=answer("Sure: {}")))
    assert len(made) == 5
    for proposal in made:
        assert proposal.genome.changed_layers(PRODUCTION) == (proposal.layer,)
        assert scope_check(PRODUCTION, proposal.genome, proposal.layer) == []
        assert proposal.lineage.source == "patch"
        assert proposal.lineage.parents == (PRODUCTION.content_hash,)
        assert proposal.lineage.finding == "f1"
        assert proposal.lineage.explanation
        assert set(proposal.parts) == {"reduction", "severity", "clarity", "brevity"}
    assert [one.score for one in made] == sorted((one.score for one in made), reverse=True)
    assert len({proposal.genome.content_hash for proposal in made}) == 5
    assert len({proposal.layer for proposal in made}) > 1


async def test_memory_moves_where_there_is_one() -> None:
    without = await proposals(failures(10, failure="refusal"))
    made = await proposals(failures(10, failure="refusal"), has_memory=True)
    assert "memory" not in {one.layer for one in without}
    assert {one.genome.memory.retriever_topk for one in made if one.layer == "memory"} == {3}


async def test_a_memory_gap_may_be_one_of_words_where_there_are_embeddings() -> None:
    gap = replace(finding(failures(10, failure="refusal")), kind="memory_gap")

    async def weights(**changes: Any) -> set[float]:
        arguments: dict[str, Any] = {"models": MODELS, "rng": np.random.default_rng(0), "has_memory": True}
        made = await propose(PRODUCTION, [gap], [], **(arguments | changes))
        return {one.genome.memory.embedding_weight for one in made if one.genome.memory.recalls}

    assert await weights() == {0.0}
    assert await weights(embeds=True) == {0.0, 5.0}


async def test_without_findings_something_cheaper_is_proposed() -> None:
    made = await propose(
        PRODUCTION,
        [],
        [example(i, model="provider-large") for i in range(5)],
        models=MODELS,
        rng=np.random.default_rng(0),
    )
    assert {one.layer for one in made} == {"strategy", "prompt"}
    assert "medium" in {one.genome.strategy.model_key for one in made}


@pytest.mark.parametrize(
    ("kind", "evidence", "key"),
    [
        ("cheaper_model", {"model": "provider-large", "cheaper": "provider-small"}, "small"),
        ("latency_outliers", {"model": "provider-large"}, "medium"),
        ("degrading_model", {"model": "provider-medium"}, "small"),
    ],
)
async def test_findings_about_models_move_the_model(kind: str, evidence: dict[str, str], key: str) -> None:
    found = finding([], kind=kind, evidence=evidence)
    made = behind(await propose(PRODUCTION, [found], [], models=MODELS, rng=np.random.default_rng(0)))
    assert [one.genome.strategy.model_key for one in made] == [key]


async def test_tombstones_and_what_production_says_already_are_passed_over() -> None:
    bad = failures(10, failure="refusal")
    first = await proposals(bad)
    again = await proposals(bad, tombstones={one.genome.content_hash for one in first})
    assert not {one.genome.content_hash for one in first} & {one.genome.content_hash for one in again}
    (text,) = [template.edit.text for template in TEMPLATES if template.name == "no_refusal"]
    production = Genome(prompt=PromptLayer(rubric=(Rule(id="x", text=f"{text} Please!"),)))
    made = await propose(production, [finding(bad)], bad, models=MODELS, rng=np.random.default_rng(0))
    assert "template:no_refusal" not in operators(made)


async def test_no_finding_starves_another_and_the_total_is_capped() -> None:
    bad = failures(10, failure="refusal")
    many = [finding(bad[:5], id=f"f{i}", severity=i / 20) for i in range(20)]
    production = PRODUCTION.model_copy(update={"strategy": StrategyLayer(temperature=0.9, max_tokens=4096)})
    made = await propose(production, many, bad, models=MODELS, rng=np.random.default_rng(0))
    assert 3 <= len(made) <= 16
    assert len({one.genome.content_hash for one in made}) == len(made)


async def test_a_reflection_models_patches_compete() -> None:
    text = json.dumps(
        {"patches": [{"op": "add", "text": "Name the city in every answer.", "explanation": "It lacked."}]}
    )
    made = await proposals(failures(10), complete=says(text), reflection_key="reflector")
    (reflected,) = [one for one in made if one.lineage.operator == "reflection:reflection_v1"]
    assert reflected.genome.prompt.rubric[-1].text == "Name the city in every answer."
    assert reflected.lineage.explanation == "It lacked."


@pytest.mark.parametrize("text", ["no idea", None, "{}", '{"patches": [1, 2]}'])
async def test_a_useless_reflection_model_leaves_the_templates(text: str | None) -> None:
    bad = failures(10, failure="refusal")
    with_model = await proposals(bad, complete=says(text, "HTTP 500" if text is None else None), reflection_key="r")
    assert operators(with_model) == operators(await proposals(bad))


async def test_rules_that_are_protected_stay_whatever_the_model_says() -> None:
    patches = [
        {"op": "delete", "rule_id": "protected-1"},
        {"op": "replace", "rule_id": "protected-1", "text": "Prices!"},
    ]
    made = await proposals(failures(10), complete=says(json.dumps({"patches": patches})), reflection_key="r")
    assert all(PRODUCTION.prompt.rubric[0] in one.genome.prompt.rubric for one in made)
    assert not any(operator.startswith("reflection") for operator in operators(made))


@pytest.mark.parametrize("injection", INJECTIONS)
@pytest.mark.parametrize("where", ["request", "answer", "correction", "detail"])
async def test_injections_never_reach_a_proposal(injection: str, where: str) -> None:
    """The worst reflection model: it copies what users wrote into rules, explanations and replacements."""
    changes: dict[str, dict[str, Any]] = {
        "request": {"body": {"messages": [{"role": "user", "content": injection}]}},
        "answer": {"answer": answer(injection)},
        "correction": {"correction": injection, "corrected": True},
        "detail": {"detail": injection, "correction": injection},
    }
    bad = failures(10, **changes[where])
    patches = [
        {"op": "add", "text": injection, "explanation": injection},
        {"op": "add", "text": f"Be kind. {injection.lower()} Be brief.", "explanation": injection},
        {"op": "replace", "rule_id": "polite", "text": injection, "explanation": injection},
        {"op": "delete", "rule_id": "polite", "explanation": injection},
    ]
    made = await proposals(bad, complete=says(json.dumps({"patches": patches})), reflection_key="r")
    recorded = Recorded([injection])
    assert made
    for proposal in made:
        new = [rule.text for rule in proposal.genome.prompt.rubric if rule not in PRODUCTION.prompt.rubric]
        for text in (*new, proposal.genome.prompt.tool_instructions or "", proposal.lineage.explanation):
            assert recorded.quoted(text) is None
            assert injection[:30].casefold() not in text.casefold()
        assert lint(proposal.genome) == []


async def test_templates_never_quote() -> None:
    """Recordings choose among the templates; nothing that they say changes a letter of one."""
    texts = {template.edit.text for template in TEMPLATES} | {""}
    bad = [example(i, text, failure="judged_bad", correction=text) for i, text in enumerate(INJECTIONS)]
    assert {idea.edit.text for idea in template_ideas(bad, [])} <= texts


def test_every_template_is_fit_for_a_prompt() -> None:
    for template in TEMPLATES:
        genome = template.edit.apply(PRODUCTION)
        assert genome is not None
        assert scope_check(PRODUCTION, genome, template.edit.layer) == []
        assert clarity(template.edit.text) > 0.9
    assert len({template.name for template in TEMPLATES}) == len(TEMPLATES)
    assert all(distinct([template.edit.text for template in TEMPLATES]))


def test_every_template_answers_to_something() -> None:
    known = {"fenced", "prose_json", "missed", "wordy", "numbers_given", "tools", "case", "date", "numeric", "label"}
    known |= {"reference", "language", "markup", "cold", "casual", "thin"}
    known |= {"invalid_output", "invalid_tool_call", "judged_bad", "refusal", "cut_short", "too_slow", "too_dear"}
    assert all(template.when | template.also <= known for template in TEMPLATES)


def test_wordy_answers_are_noticed_against_good_ones() -> None:
    long = example(1, answer=answer("word " * 60), failure="judged_bad")
    assert "wordy" in signals(long, usual_words=5)
    assert "wordy" not in signals(long, usual_words=50)
    assert "wordy" not in signals(long, usual_words=0)


def test_ranking_prefers_reach_clarity_and_brevity() -> None:
    def rank(text: str, reach: float = 0.5, severity: float = 0.5) -> float:
        return score(Idea(AddRule(text), "x", "", reach, 0.5), severity)[0]

    assert rank("Be brief.", reach=0.8) > rank("Be brief.", reach=0.4)
    assert rank("Be brief.", severity=0.9) > rank("Be brief.", severity=0.1)
    assert rank("Answer in one word.") > rank("Maybe try to answer in one word, perhaps, as appropriate.")
    assert rank("Answer in one word.") > rank("Answer in one word, and " + "then be careful. " * 30)


def test_near_duplicates_are_dropped() -> None:
    texts = ["Answer with the label alone.", "Answer with the label alone!", "Write dates as YYYY-MM-DD.", "", ""]
    assert distinct(texts) == [True, False, True, True, True]
    assert distinct(texts[:1], known=["Please answer with the label alone."]) == [False]
    assert distinct([], known=["a"]) == []
