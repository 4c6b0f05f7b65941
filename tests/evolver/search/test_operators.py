"""Operators keep to the table of genes, to their layers and to their material; protected rules stay."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evolver.search import GENES, OPERATORS, Material, Operator
from evolver.search.genes import BY_NAME
from evolver.search.operators import confine
from policies.genome import LAYERS, FewShot, Genome, MemoryLayer, PromptLayer, Rule, StrategyLayer

SHOTS = tuple(FewShot(user=f"question {i}", assistant=f"answer {i}") for i in range(3))
MATERIAL = Material(
    model_keys=("large", "small"),
    rules=tuple(Rule(id=f"new{i}", text=f"New rule {i}.") for i in range(4)),
    rewrites={"first": ("First, in other words.",), "protected-1": ("Something else.",)},
    few_shots=SHOTS,
    tool_instructions=("Call tools with care.",),
    layers=LAYERS,
)
RULES = (
    Rule(id="protected-1", text="Never name prices."),
    Rule(id="first", text="First."),
    Rule(id="second", text="Second."),
)
FULL = Genome(
    prompt=PromptLayer(rubric=RULES, few_shots=SHOTS[:1], tone="formal"),
    memory=MemoryLayer(retriever_topk=4),
    strategy=StrategyLayer(model_key="large", temperature=0.5, max_tokens=1024),
)
OTHER = Genome(prompt=PromptLayer(rubric=(*RULES[:1], MATERIAL.rules[0])), strategy=StrategyLayer(temperature=0.2))


OTHERS_SAY = {("memory", "snapshot")}


def test_the_table_names_every_gene_that_evolves() -> None:
    schema = {(layer, name) for layer in LAYERS for name in type(getattr(Genome(), layer)).model_fields}
    assert {(gene.layer, gene.name) for gene in GENES} == schema - OTHERS_SAY


@pytest.mark.parametrize("gene", [gene for gene in GENES if gene.kind == "number"], ids=lambda gene: gene.name)
def test_steps_stay_within_bounds(gene: object) -> None:
    assert hasattr(gene, "step")
    number = BY_NAME[gene.name]  # type: ignore[attr-defined]
    for start in (None, *number.bounds):
        for step in number.steps:
            for sign in (-1, 1):
                moved = number.step(start, sign * step)
                assert number.bounds[0] <= moved <= number.bounds[1]
                assert number.read(number.write(Genome(), moved)) == moved


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), swap=st.booleans())
def test_children_are_valid_and_keep_what_is_protected(operator: Operator, seed: int, swap: bool) -> None:
    rng = np.random.default_rng(seed)
    parents = [OTHER, FULL] if swap else [FULL, OTHER]
    child = operator.apply(parents, MATERIAL, rng)
    if child is None:
        return
    assert Genome.model_validate(child.model_dump()) == child
    assert RULES[0] in child.prompt.rubric
    assert child.prompt.placement == parents[0].prompt.placement  # frozen
    if operator.parents == 1:
        assert len(child.changed_layers(parents[0])) == 1
    texts = {rule.text for rule in (*RULES, *MATERIAL.rules)} | {"First, in other words."}
    assert {rule.text for rule in child.prompt.rubric} <= texts


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_every_operator_finds_something_to_do(operator: Operator) -> None:
    assert operator.apply([FULL, OTHER], MATERIAL, np.random.default_rng(0)) not in (None, FULL)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_without_layers_there_is_nothing_to_do(operator: Operator) -> None:
    assert operator.apply([FULL, OTHER], Material(layers=()), np.random.default_rng(0)) is None


@given(seed=st.integers(0, 10_000))
def test_a_confined_child_differs_in_the_layer_just_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = Genome()
    parent = base.model_copy(update={"prompt": PromptLayer(cot=True)})
    child = parent.model_copy(update={"strategy": StrategyLayer(temperature=0.3)})
    confined = confine(child, parent, base, Material(layers=LAYERS), single_layer=True, rng=rng)
    assert confined.changed_layers(base) == ("strategy",)
    both = confine(child, parent, base, Material(layers=LAYERS), single_layer=False, rng=rng)
    assert both == child
    none = confine(child, parent, base, Material(layers=("memory",)), single_layer=False, rng=rng)
    assert none == base


SERVING = Genome(
    prompt=PromptLayer(rubric=RULES),
    strategy=StrategyLayer(
        model_key="large", use_consensus=True, cascade_model="small", cascade_verifier="agreement", retries=1
    ),
)
EVERYTHING = Material(
    model_keys=("large", "small", "tiny"),
    rules=MATERIAL.rules,
    rewrites=MATERIAL.rewrites,
    few_shots=SHOTS,
    tool_instructions=MATERIAL.tool_instructions,
    layers=LAYERS,
    routed=True,
    embeds=True,
    intents=("invoices",),
    frozen=frozenset(),
)


def test_every_gene_is_varied_where_it_does_something() -> None:
    rng = np.random.default_rng(0)
    routed = BY_NAME["model_key"].write(SERVING, "auto")
    meant = BY_NAME["retriever_topk"].write(BY_NAME["agreement"].write(SERVING, "embedding"), 3)
    touched = set()
    for parent in (SERVING, routed, meant):
        for _ in range(1500):
            for operator in OPERATORS:
                child = operator.apply([parent, OTHER], EVERYTHING, rng) if operator.parents == 1 else None
                if child is not None:
                    touched |= {gene.name for gene in GENES if gene.read(child) != gene.read(parent)}
    assert touched == {gene.name for gene in GENES}


def test_without_an_embedding_model_nothing_that_needs_one_is_tried() -> None:
    rng = np.random.default_rng(0)
    meant = BY_NAME["retriever_topk"].write(SERVING, 3)
    for _ in range(1500):
        for operator in OPERATORS[:3]:
            child = operator.apply([meant], replace(EVERYTHING, embeds=False), rng)
            assert child is None or (child.memory.embedding_weight == 0.0 and child.strategy.agreement != "embedding")


def test_a_gene_that_does_nothing_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    plain = Genome(strategy=StrategyLayer(model_key="large"))
    touched = set()
    for _ in range(1500):
        for operator in OPERATORS[:3]:
            child = operator.apply([plain], EVERYTHING, rng)
            assert child is None or child.strategy.cascade_model != child.strategy.model_key
            touched |= {gene.name for gene in GENES if child is not None and gene.read(child) != gene.read(plain)}
    assert not any(name.startswith(("router_", "voter", "quorum", "agreement", "consensus_")) for name in touched)
    assert "use_consensus" in touched
