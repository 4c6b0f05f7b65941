"""What a policy may choose between: one slot for each rule and each typed gene of a layer, its options edits.

The first option of every slot leaves the genome as it is. Text comes from `Material` only, as in the search.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from evolver.proposals.values import DeleteRule, Edit, ReplaceRule, SetGene
from evolver.search.genes import BY_NAME, Gene, of_kind
from evolver.search.operators import MAX_RULES, PROTECTED, Material
from policies.genome import Genome, LayerName, Rule

Choices = tuple[int, ...]  # one option of each slot
RULES = 0.3  # how often the reference policy tries a rule ...
GENES = 0.15  # ... and another value of a gene


@dataclass(frozen=True, slots=True)
class TakeRule:
    """A rule of the material at the end of the rubric, under its own id."""

    rule: Rule

    def apply(self, genome: Genome) -> Genome | None:
        """None where the rubric is full."""
        rules = genome.prompt.rubric
        return BY_NAME["rubric"].write(genome, (*rules, self.rule)) if len(rules) < MAX_RULES else None


@dataclass(frozen=True, slots=True)
class Slot:
    """One decision. `changes` is the reference policy's probability of any option but the first."""

    name: str
    options: tuple[Edit | TakeRule | None, ...]
    changes: float

    def label(self, option: int) -> str:
        """A short name of an option."""
        edit = self.options[option]
        if edit is None:
            return "as it is"
        return str(edit.value) if isinstance(edit, SetGene) else type(edit).__name__.removesuffix("Rule").lower()


def slots(base: Genome, material: Material, layer: LayerName) -> tuple[Slot, ...]:
    """The decisions of one layer, in a fixed order."""
    rules = _rules(base, material) if layer == "prompt" else ()
    return (*rules, *_genes(base, material, layer))


def build(base: Genome, space: Sequence[Slot], choices: Choices) -> Genome:
    """The base with every chosen edit applied; an edit that does not apply (any more) is passed over."""
    genome = base
    for slot, choice in zip(space, choices, strict=True):
        edit = slot.options[choice]
        if edit is not None:
            genome = edit.apply(genome) or genome
    return genome


def _rules(base: Genome, material: Material) -> Iterator[Slot]:
    known = {rule.id for rule in base.prompt.rubric}
    for rule in base.prompt.rubric:
        if not rule.id.startswith(PROTECTED):
            rewrites = (ReplaceRule(rule.id, text) for text in material.rewrites.get(rule.id, ()))
            yield Slot(f"rule {rule.id}", (None, DeleteRule(rule.id), *rewrites), GENES)
    for rule in material.rules:
        if rule.id not in known:
            yield Slot(f"rule {rule.id}", (None, TakeRule(rule)), RULES)


def _genes(base: Genome, material: Material, layer: LayerName) -> Iterator[Slot]:
    kinds = of_kind("toggle", "choice", "number", "model", "text", "few_shots")
    for gene in (gene for gene in kinds if gene.layer == layer and gene.name not in material.frozen):
        now = gene.read(base)
        values = [value for value in _values(gene, now, material) if value != now]
        if values:
            yield Slot(gene.name, (None, *(SetGene(gene.name, value) for value in values)), GENES)


def _values(gene: Gene, now: object, material: Material) -> Sequence[object]:
    if gene.kind == "number":
        start = now if isinstance(now, int | float) else None
        return sorted({gene.step(start, sign * step) for step in gene.steps for sign in (-1, 1)})
    if gene.kind == "model":
        return material.model_keys
    if gene.kind == "text":
        return material.tool_instructions
    if gene.kind == "few_shots":
        return [(shot,) for shot in material.few_shots]
    return gene.choices
