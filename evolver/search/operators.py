"""How genomes vary. An operator takes parents and gives a child, or None where it has nothing to work on.

Rules whose id starts with `protected` are never deleted or rewritten. Text comes from `Material` only: proposals
that have passed their own checks; the search writes no prose of its own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

from evolver.search.genes import BY_NAME, SERVED, Gene, of_kind
from policies.genome import LAYERS, FewShot, Genome, LayerName, Rule, StrategyLayer
from policies.strategy.cascade import AGREEMENT
from policies.strategy.router import AUTO

PROTECTED = "protected"
EMBEDDED = frozenset({"embedding_weight", "agreement_similarity"})  # genes that do nothing without embeddings
MAX_RULES = 24  # a rubric beyond this is diluted, whatever its rules say


@dataclass(frozen=True, slots=True)
class Material:
    """What operators may put into a genome besides steps and toggles, and where they may act."""

    model_keys: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    rewrites: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # rule id -> other wordings
    few_shots: tuple[FewShot, ...] = ()
    tool_instructions: tuple[str, ...] = ()
    layers: tuple[LayerName, ...] = ("prompt", "strategy")  # add "memory" where there is one to retrieve from
    routed: bool = False  # a router has models to choose from
    embeds: bool = False  # there is an embedding model
    intents: tuple[str, ...] = ()  # that requests are told apart by
    frozen: frozenset[str] = frozenset({"placement"}) | SERVED  # left alone


Apply = Callable[[Sequence[Genome], Material, np.random.Generator], Genome | None]


@dataclass(frozen=True, slots=True)
class Operator:
    """A named way to vary; `parents` is how many it takes."""

    name: str
    parents: int
    apply: Apply


def _pick(options: Sequence[Any], rng: np.random.Generator) -> Any:
    return options[int(rng.integers(len(options)))]


def _gene(genes: Sequence[Gene], genome: Genome, material: Material, rng: np.random.Generator) -> Gene | None:
    """One that may be varied, and that does something in the genome."""
    usable = [
        gene
        for gene in genes
        if gene.layer in material.layers and gene.name not in material.frozen and not gene.idle(genome)
    ]
    if not material.embeds:
        usable = [gene for gene in usable if gene.name not in EMBEDDED]
    return _pick(usable, rng) if usable else None


def toggle(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Switch a flag, or choose another of a few values."""
    gene = _gene(of_kind("toggle", "choice"), parents[0], material, rng)
    if gene is None:
        return None
    now, without = gene.read(parents[0]), set() if material.embeds else {"embedding"}
    return gene.write(
        parents[0], _pick([choice for choice in gene.choices if choice != now and choice not in without], rng)
    )


def jitter(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Move a number by one of its steps, up or down."""
    gene = _gene(of_kind("number"), parents[0], material, rng)
    if gene is None:
        return None
    value = gene.read(parents[0])
    moved = {gene.step(value, sign * step) for step in gene.steps for sign in (-1, 1)} - {value}
    return gene.write(parents[0], _pick(sorted(moved), rng))


def swap_model(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Another model key; others to vote; or a model for the requests of an intent."""
    gene = _gene(of_kind("model", "models", "intents"), parents[0], material, rng)
    options = _models_for(gene, parents[0].strategy, material) if gene is not None else []
    others = [value for value in options if gene is not None and value != gene.read(parents[0])]
    return gene.write(parents[0], _pick(others, rng)) if gene is not None and others else None


def _models_for(gene: Gene, genes: StrategyLayer, material: Material) -> list[Any]:
    """What such a gene may become. No cascade leads to itself."""
    named = material.model_keys
    match gene.name:
        case "model_key":
            return [*(key for key in named if key != genes.cascade_model), *([AUTO] if material.routed else [])]
        case "cascade_model":
            return [None, *(key for key in named if key != genes.model_key)]
        case "cascade_verifier":
            return [None, AGREEMENT, *named]
        case "voter_models":
            return [(), *combinations(named, 2)]
        case _:
            kept = {pair.intent: pair.model for pair in genes.intent_models}
            without = [{i: key for i, key in kept.items() if i != intent} for intent in kept]
            made = [*without, *({**kept, intent: key} for intent in material.intents for key in named)]
            return [StrategyLayer.model_validate({"intent_models": pairs}).intent_models for pairs in made]


def _with_rules(genome: Genome, rules: Sequence[Rule]) -> Genome:
    return BY_NAME["rubric"].write(genome, tuple(rules))


def add_rule(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """A rule of the material that the genome does not have yet, at the end."""
    rules = parents[0].prompt.rubric
    known = {rule.id for rule in rules} | {rule.text for rule in rules}
    fresh = [rule for rule in material.rules if rule.id not in known and rule.text not in known]
    if "prompt" not in material.layers or not fresh or len(rules) >= MAX_RULES:
        return None
    return _with_rules(parents[0], (*rules, _pick(fresh, rng)))


def delete_rule(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """One rule less."""
    rules = parents[0].prompt.rubric
    free = [rule for rule in rules if not rule.id.startswith(PROTECTED)]
    if "prompt" not in material.layers or not free:
        return None
    gone = _pick(free, rng)
    return _with_rules(parents[0], [rule for rule in rules if rule.id != gone.id])


def rewrite_rule(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Another wording of a rule, under the same id."""
    rules = parents[0].prompt.rubric
    options = [
        Rule(id=rule.id, text=text)
        for rule in rules
        for text in material.rewrites.get(rule.id, ())
        if text != rule.text and not rule.id.startswith(PROTECTED)
    ]
    if "prompt" not in material.layers or not options:
        return None
    new = _pick(options, rng)
    return _with_rules(parents[0], [new if rule.id == new.id else rule for rule in rules])


def swap_few_shot(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Drop a worked example, or put one of the material in its place or beside it (at most four)."""
    shots = list(parents[0].prompt.few_shots)
    fresh = [shot for shot in material.few_shots if shot not in shots]
    if "prompt" not in material.layers or not (shots or fresh):
        return None
    place = int(rng.integers(min(len(shots) + 1, 4)))
    if not fresh:
        del shots[min(place, len(shots) - 1)]
    else:
        shots[place : place + 1] = [_pick(fresh, rng)]
    return BY_NAME["few_shots"].write(parents[0], tuple(shots))


def swap_tool_instructions(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Another text on how tools are to be called, or none."""
    now = parents[0].prompt.tool_instructions
    others = [text for text in (*material.tool_instructions, None) if text != now]
    if "prompt" not in material.layers or not others:
        return None
    return BY_NAME["tool_instructions"].write(parents[0], _pick(others, rng))


def cross_layers(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """One layer of the second parent in the first."""
    differing = [layer for layer in parents[0].changed_layers(parents[1]) if layer in material.layers]
    return parents[0].with_layer(_pick(differing, rng), parents[1]) if differing else None


def cross_rules(parents: Sequence[Genome], material: Material, rng: np.random.Generator) -> Genome | None:
    """Rules that both have stay; of the others each is taken or left by a coin. The first parent's order rules."""
    first, second = (genome.prompt.rubric for genome in parents[:2])
    ids = {rule.id: rule for rule in (*second, *first)}
    common = {rule.id for rule in first} & {rule.id for rule in second}
    if "prompt" not in material.layers or len(ids) == len(common):
        return None
    ordered = dict.fromkeys(rule.id for rule in (*first, *second))
    kept = [ids[i] for i in ordered if i in common or i.startswith(PROTECTED) or rng.integers(2)]
    return _with_rules(parents[0], kept[:MAX_RULES])


OPERATORS: tuple[Operator, ...] = (
    Operator("toggle", 1, toggle),
    Operator("jitter", 1, jitter),
    Operator("swap_model", 1, swap_model),
    Operator("add_rule", 1, add_rule),
    Operator("delete_rule", 1, delete_rule),
    Operator("rewrite_rule", 1, rewrite_rule),
    Operator("swap_few_shot", 1, swap_few_shot),
    Operator("swap_tool_instructions", 1, swap_tool_instructions),
    Operator("cross_layers", 2, cross_layers),
    Operator("cross_rules", 2, cross_rules),
)


def confine(
    child: Genome, parent: Genome, base: Genome, material: Material, *, single_layer: bool, rng: np.random.Generator
) -> Genome:
    """The child with foreign layers reset to the base's; with `single_layer`, at most one layer differs from it.

    Where several do, the layer in which the child left its parent stays: that is the one just being tried.
    """
    for layer in LAYERS:
        if layer not in material.layers:
            child = child.with_layer(layer, base)
    changed = child.changed_layers(base)
    if not single_layer or len(changed) <= 1:
        return child
    news = [layer for layer in child.changed_layers(parent) if layer in changed]
    return base.with_layer(_pick(news or changed, rng), child)
