"""Ideas (an edit and its reason) and proposals (the genome that an edit makes, ready for the gates)."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from evolver.search.genes import BY_NAME
from evolver.search.operators import MAX_RULES, PROTECTED
from policies.genome import Genome, LayerName, Lineage, Rule

MAX_TEXT = 600  # characters of a proposed rule: longer ones dilute


@dataclass(frozen=True, slots=True)
class AddRule:
    """A new rule at the end of the rubric."""

    text: str
    layer: LayerName = "prompt"

    def apply(self, genome: Genome) -> Genome | None:
        """None where the rubric is full or says this already."""
        rules, new = genome.prompt.rubric, Rule.model_validate(self.text)
        if len(rules) >= MAX_RULES or any(new.id == rule.id or new.text == rule.text for rule in rules):
            return None
        return BY_NAME["rubric"].write(genome, (*rules, new))


@dataclass(frozen=True, slots=True)
class ReplaceRule:
    """Another wording of a rule under its id."""

    rule_id: str
    text: str
    layer: LayerName = "prompt"

    def apply(self, genome: Genome) -> Genome | None:
        """None where the rule is missing or protected, or nothing would change."""
        rules = genome.prompt.rubric
        new = [Rule(id=rule.id, text=self.text) if rule.id == self.rule_id else rule for rule in rules]
        changed = not self.rule_id.startswith(PROTECTED) and tuple(new) != rules
        return BY_NAME["rubric"].write(genome, tuple(new)) if changed else None


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """One rule less."""

    rule_id: str
    text: str = ""
    layer: LayerName = "prompt"

    def apply(self, genome: Genome) -> Genome | None:
        """None where the rule is missing or protected."""
        rules = genome.prompt.rubric
        kept = tuple(rule for rule in rules if rule.id != self.rule_id or rule.id.startswith(PROTECTED))
        return BY_NAME["rubric"].write(genome, kept) if len(kept) < len(rules) else None


@dataclass(frozen=True, slots=True)
class SetGene:
    """One gene set to a value."""

    gene: str
    value: Any

    @property
    def layer(self) -> LayerName:
        """The layer that the gene belongs to."""
        return BY_NAME[self.gene].layer

    @property
    def text(self) -> str:
        """The value where it is prose; nothing else of it reaches a prompt as written."""
        return self.value if self.gene == "tool_instructions" and isinstance(self.value, str) else ""

    def apply(self, genome: Genome) -> Genome | None:
        """None where it is set already or out of bounds."""
        gene = BY_NAME[self.gene]
        try:
            return gene.write(genome, self.value) if gene.read(genome) != self.value else None
        except ValidationError:
            return None


@dataclass(frozen=True, slots=True)
class Together:
    """Several edits of one layer at once; those that would change nothing are passed over."""

    edits: tuple[AddRule | SetGene, ...]
    text: str = ""  # what its rules say is no news by itself

    @property
    def layer(self) -> LayerName:
        """The layer that they belong to."""
        return self.edits[0].layer

    def apply(self, genome: Genome) -> Genome | None:
        """None where nothing changes."""
        changed = genome
        for edit in self.edits:
            changed = edit.apply(changed) or changed
        return changed if changed != genome else None


Edit = AddRule | ReplaceRule | DeleteRule | SetGene | Together


@dataclass(frozen=True, slots=True)
class Idea:
    """An edit with its reason.

    `reach` is the share of the finding's failures that it speaks to, `promise` how often such an edit mends what it
    speaks to (a prior); both 0..1.
    """

    edit: Edit
    operator: str  # "template:labels", "reflection:v1", "strategy:cheaper"
    explanation: str
    reach: float
    promise: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome that differs from production in one layer, and why it is worth a try."""

    genome: Genome
    layer: LayerName
    lineage: Lineage
    score: float = 0.0  # rank, larger first
    parts: dict[str, float] = field(default_factory=dict)  # what the score is made of
