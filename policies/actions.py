"""What a genome does with a request, as far as the log can tell it from what another genome does.

Two genomes take the same action on a request where everything but their choice of the model is the same, and they
choose the same model: by name, for the request's intent, or by weighing the router's recorded terms. So what one arm
was given at known odds says something of a genome that nobody was ever given, wherever their actions overlap.

Nothing here looks at what came of a request, or at which arm was drawn: else the odds of an action would not be known.
A cascade's threshold is no such choice: where the cheap answer went out, what it would have escalated to is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from policies.genome import Genome
from policies.strategy.router import AUTO, weights_of_terms

AS_ASKED = ""  # the model that the client names
_TERMS = ("similarity", "capability", "rating", "cost", "latency")
_CHOICES = ("model_key", "intent_models", *(f"router_{name}" for name in _TERMS))

Terms = Mapping[str, Sequence[float]]  # by model, in the router's order: the five terms
Action = tuple[str, str]  # hash of everything but the choice, and the model that is chosen


@dataclass(frozen=True, slots=True)
class Actor:
    """A genome, taken apart once."""

    genome: Genome
    content: str
    rest: str

    @classmethod
    def of(cls, genome: Genome) -> "Actor":
        """That genome."""
        genes = genome.strategy
        defaults = {name: type(genes).model_fields[name].default for name in _CHOICES}
        rest = genome.model_copy(update={"strategy": genes.model_copy(update=defaults)})
        return cls(genome, genome.content_hash, rest.content_hash)

    def weighs(self, intent: str) -> bool:
        """Whether its router decides about requests of that intent."""
        return self.genome.strategy.model_key == AUTO and self._preferred(intent) is None

    def action(self, intent: str, terms: Terms | None) -> Action:
        """What it does with a request of that intent; without terms, what its router does is like nobody else's."""
        preferred = self._preferred(intent)
        if preferred is not None:
            return self.rest, preferred
        if self.genome.strategy.model_key != AUTO:
            return self.rest, self.genome.strategy.model_key or AS_ASKED
        return self.rest, self._chosen(terms) if terms else f"{AUTO} {self.content}"

    def _preferred(self, intent: str) -> str | None:
        pairs = self.genome.strategy.intent_models
        return next((pair.model for pair in pairs if intent and pair.intent == intent), None)

    def _chosen(self, terms: Terms) -> str:
        """The model with the best score; of two equal ones the first, as in the router."""
        weights = weights_of_terms(self.genome.strategy)
        signed = (weights.similarity, weights.capability, weights.rating, -weights.cost, -weights.latency)
        return max(terms, key=lambda key: sum(w * t for w, t in zip(signed, terms[key], strict=True)))


def overlap(
    target: Actor,
    arms: Mapping[str, float],
    drawn: str,
    known: Mapping[str, Actor],
    *,
    intent: str = "",
    terms: Terms | None = None,
) -> tuple[float, bool]:
    """(the odds at which some arm does what the target would have done, whether the arm that was drawn did).

    Terms are on record only where an arm that weighs them was drawn. So they are looked at only where every arm does:
    else the odds would depend on the draw.

    Args:
        target: the genome to be judged.
        arms: what the request could have been given, by content hash, with its odds.
        drawn: the one that it was given.
        known: genomes by content hash; of others nothing is said.
        intent: of the request.
        terms: the router's, where on record.
    """
    actors = {name: known[name] for name in arms if name in known}
    told = terms if len(actors) == len(arms) and all(one.weighs(intent) for one in actors.values()) else None
    wanted = target.action(intent, told)
    same = {name for name, actor in actors.items() if actor.action(intent, told) == wanted}
    return sum(arms[name] for name in same), drawn in same
