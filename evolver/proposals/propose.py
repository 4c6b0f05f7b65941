"""From findings to proposals: gather ideas, try each on production's genome, check its scope, rank, keep the best."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from config.upstreams import Model
from evolver.examples import Example
from evolver.proposals.bundle import bundle
from evolver.proposals.rank import distinct, score
from evolver.proposals.recorded import Recorded, recorded_texts
from evolver.proposals.reflection import Complete, reflect
from evolver.proposals.scope import scope_check
from evolver.proposals.strategy import strategy_ideas
from evolver.proposals.templates import template_ideas
from evolver.proposals.thrift import savings
from evolver.proposals.values import Idea, Proposal
from policies.genome import Genome, Lineage
from policies.registry.values import Finding

PER_FINDING = 5  # patches at most
TOTAL = 16  # proposals of one cycle at most
REFLECTED = 4  # findings that the reflection model is asked about
FAILURES = frozenset({"repeated_failures", "prompt_weakness"})  # kinds that words may mend

_LOG = logging.getLogger(__name__)


async def propose(
    production: Genome,
    findings: Sequence[Finding],
    examples: Sequence[Example],
    *,
    models: Mapping[str, Model],
    rng: np.random.Generator,
    complete: Complete | None = None,
    reflection_key: str | None = None,
    has_memory: bool = False,
    embeds: bool = False,
    tombstones: Collection[str] = (),
    sealed: Sequence[str] = (),
    logged: Sequence[Idea] = (),
) -> list[Proposal]:
    """At most five proposals per finding and sixteen in all, best first, each differing from production in one layer.

    Where several findings have a rule, the best of each also stand together in one proposal.

    Args:
        production: The genome that the proposals are patches of.
        findings: Any order; the most severe are served first, and after them what may save money.
        examples: The recordings behind the findings; ids that are not among them are passed over.
        models: Model keys that may serve, with their prices. Leave out those of the judge and of reflection.
        rng: Breaks ties between equal ranks.
        complete: How to ask a model (`Provider.complete`); with `reflection_key`, adds a reflection model's patches.
        reflection_key: The model key to reflect with.
        has_memory: There are entries to retrieve, so the memory layer may move.
        embeds: There is an embedding model, so they may be found by meaning.
        tombstones: Content hashes that failed before; they are not proposed again.
        sealed: Texts of golden examples that proposals are held to; like recorded ones they may not be quoted.
        logged: What the log speaks for already (`overlapping.logged_ideas`).
    """
    recorded = Recorded([*recorded_texts(examples), *sealed])
    by_id = {example.id: example for example in examples}
    workshop = _Workshop(production, recorded, set(tombstones) | {production.content_hash}, rng)
    served: list[list[Proposal]] = []
    for place, finding in enumerate(sorted(findings, key=lambda one: (-one.severity, one.id))):
        bad, good = _behind(finding, by_id)
        ideas = strategy_ideas(production, finding, bad, models, has_memory=has_memory, embeds=embeds)
        if finding.kind in FAILURES:
            ideas += template_ideas(bad, good)
            if complete is not None and reflection_key is not None and bad and place < REFLECTED:
                reflection = await reflect(production, bad, good, complete, reflection_key)
                workshop.ignore(reflection.ignored)
                ideas += reflection.ideas
        served.append(workshop.build(ideas, finding))
    served.append(workshop.build(logged, None))
    served.append(workshop.build(savings(production, examples, models), None))
    together = bundle(production, served, recorded, set(tombstones))
    chosen = [*([together] if together else []), *_in_turn(served)][:TOTAL]
    return sorted(chosen, key=lambda proposal: -proposal.score)


def _behind(finding: Finding, by_id: Mapping[str, Example]) -> tuple[list[Example], list[Example]]:
    """The bad examples of a finding, and good ones of the same topic."""
    bad, good = (
        [by_id[one] for one in finding.evidence.get(name, ()) if one in by_id] for name in ("records", "contrast")
    )
    return bad, good


def _in_turn(served: Sequence[Sequence[Proposal]]) -> Iterator[Proposal]:
    """Each finding's best, then each one's second, up to the cap: no finding starves another."""
    turns = (proposals[i] for i in range(PER_FINDING) for proposals in served if i < len(proposals))
    yield from (proposal for proposal, _ in zip(turns, range(TOTAL), strict=False))


class _Workshop:
    """Makes proposals of ideas; remembers what was made, so that no two are alike."""

    def __init__(self, production: Genome, recorded: Recorded, taken: set[str], rng: np.random.Generator) -> None:
        self._production, self._recorded, self._taken, self._rng = production, recorded, taken, rng
        self._texts = [rule.text for rule in production.prompt.rubric]

    def ignore(self, reasons: Sequence[str]) -> None:
        """Say why something was left out."""
        for reason in reasons:
            _LOG.info("%s", reason)

    def build(self, ideas: Sequence[Idea], finding: Finding | None) -> list[Proposal]:
        """Up to five proposals, best first; where there is a choice, not all of one layer."""
        severity = finding.severity if finding else 0.0
        ranked = sorted(ideas, key=lambda idea: (-score(idea, severity)[0], self._rng.random()))
        fresh = distinct([idea.edit.text for idea in ranked], self._texts)
        made = [
            proposal
            for idea, new in zip(ranked, fresh, strict=True)
            if new and (proposal := self._make(idea, finding, severity)) is not None
        ]
        chosen = _mixed(made)
        self._taken |= {proposal.genome.content_hash for proposal in chosen}
        known = {rule.text for rule in self._production.prompt.rubric}
        added = (rule.text for proposal in chosen for rule in proposal.genome.prompt.rubric)
        self._texts += [text for text in dict.fromkeys(added) if text not in known and text not in self._texts]
        return chosen

    def _make(self, idea: Idea, finding: Finding | None, severity: float) -> Proposal | None:
        genome = idea.edit.apply(self._production)
        if genome is None or genome.content_hash in self._taken:
            return None
        layer = idea.edit.layer
        if problems := scope_check(self._production, genome, layer, recorded_texts=self._recorded):
            self.ignore([f"{idea.operator} was left out: {problem}" for problem in problems])
            return None
        explanation = idea.explanation
        if self._recorded.quoted(explanation) is not None:
            explanation = "The model's explanation quoted recorded text and was left out."
        lineage = Lineage(
            source="patch",
            operator=idea.operator,
            parents=(self._production.content_hash,),
            finding=finding.id if finding else None,
            explanation=explanation,
        )
        return Proposal(genome, layer, lineage, *score(idea, severity))


def _mixed(made: Sequence[Proposal]) -> list[Proposal]:
    """The best five, of which the last gives way to the best of a layer that would be missing."""
    chosen = list(made[:PER_FINDING])
    other = next((one for one in made if one.layer not in {proposal.layer for proposal in chosen}), None)
    if other is not None and len({proposal.layer for proposal in chosen}) == 1:
        chosen[-1] = other
    return chosen
