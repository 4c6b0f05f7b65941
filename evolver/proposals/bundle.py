"""The best rule for each finding, or its words about tools, all in one candidate.

Findings of one analysis are about different topics, so their rules seldom touch the same requests and their gains add
up. A sum is proven with far fewer conversations than its parts one after the other, each of which makes the next proof
harder (e-LOND).
"""

from collections.abc import Collection, Sequence

from evolver.proposals.recorded import Recorded
from evolver.proposals.scope import scope_check
from evolver.proposals.values import AddRule, Proposal, SetGene
from policies.genome import Genome, Lineage

MOST = 6  # rules at once: more dilute one another


def bundle(
    production: Genome, served: Sequence[Sequence[Proposal]], recorded: Recorded, taken: Collection[str]
) -> Proposal | None:
    """One proposal of several findings' best rules; None where fewer than two findings have one.

    Args:
        production: what the proposals are patches of.
        served: each finding's proposals, best first.
        recorded: recorded texts, which no prompt may quote.
        taken: content hashes that are not proposed again.
    """
    parts = [part for proposals in served if (part := _best_edit(production, proposals)) is not None][:MOST]
    genome, joined = production, 0
    for _, edit in parts:
        changed = edit.apply(genome)
        genome, joined = (changed, joined + 1) if changed is not None else (genome, joined)
    if joined < 2 or genome.content_hash in taken:
        return None
    if scope_check(production, genome, "prompt", recorded_texts=recorded):
        return None
    proposals = [proposal for proposal, _ in parts]
    lineage = Lineage(
        source="patch",
        operator="bundle",
        parents=(production.content_hash, *(proposal.genome.content_hash for proposal in proposals)),
        finding=proposals[0].lineage.finding,
        explanation=f"The best words for each of {joined} findings at once.",
    )
    return Proposal(genome, "prompt", lineage, min(1.0, sum(proposal.score for proposal in proposals)))


def _best_edit(production: Genome, proposals: Sequence[Proposal]) -> tuple[Proposal, AddRule | SetGene] | None:
    """The first proposal that adds a single rule or says how to use tools, and changes nothing else; with that edit."""
    known = set(production.prompt.rubric)
    for proposal in proposals:
        new = [rule for rule in proposal.genome.prompt.rubric if rule not in known]
        if len(new) == 1 and len(proposal.genome.prompt.rubric) == len(known) + 1:
            return proposal, AddRule(new[0].text)
        tools = SetGene("tool_instructions", proposal.genome.prompt.tool_instructions)
        if tools.apply(production) == proposal.genome:
            return proposal, tools
    return None
