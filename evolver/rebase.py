"""Candidates follow production: what one changes is carried over to the version that is in production now.

A candidate is compared with production as a whole genome, so one that was bred from an older version would take back
whatever has been promoted since. It ends, and its change goes on its way anew on the present version: through every
gate again, because it is another genome.
"""

import secrets
from dataclasses import replace

from evolver.context import Context
from policies.errors import NotFoundError
from policies.genome import Genome, LayerName, PromptLayer, Rule
from policies.lifecycle import State
from policies.registry.operations import find_version, production_of
from policies.registry.values import Candidate

REBASED: frozenset[State] = frozenset({"proposed", "gated", "shadow", "judged"})


def rebase(change: Genome, base: Genome, production: Genome, layer: LayerName) -> Genome:
    """Production with what `change` changed in that layer of `base`: gene by gene, and rule by rule."""
    new, old, here = (getattr(genome, layer) for genome in (change, base, production))
    genes = {name: getattr(new, name) for name in type(new).model_fields if getattr(new, name) != getattr(old, name)}
    if isinstance(here, PromptLayer) and "rubric" in genes:
        genes["rubric"] = _rules(new.rubric, old.rubric, here.rubric)
    return production.model_copy(update={layer: here.model_copy(update=genes)})


def _rules(new: tuple[Rule, ...], old: tuple[Rule, ...], here: tuple[Rule, ...]) -> tuple[Rule, ...]:
    before, after = ({rule.id: rule for rule in rules} for rules in (old, new))
    kept = [
        after.get(rule.id, rule) if before.get(rule.id) == rule else rule
        for rule in here
        if rule.id not in before or rule.id in after
    ]
    known = {rule.id for rule in kept}
    added = [rule for rule in new if rule.id not in before and rule.id not in known]
    return (*kept, *added)


async def rebased(candidate: Candidate, context: Context) -> bool:
    """End a candidate whose base is not in production any more and propose its change anew; True where that was so."""
    try:
        production, _ = await production_of(context.registry, candidate.policy)
    except NotFoundError:
        return False
    if production.label == candidate.base:
        return False
    base = await find_version(context.registry, candidate.policy, candidate.base)
    genome = rebase(candidate.genome, base.genome, production.genome, candidate.layer)
    reason = f"{production.label} came into production; its change goes on as another candidate"
    ended = await context.registry.advance(candidate, "expire", who="evolver", reason=reason, now=context.now)
    if genome != production.genome:
        fresh = replace(
            ended,
            id=secrets.token_hex(6),
            genome=genome,
            base=production.label,
            state="proposed",
            state_since=context.now,
            created_at=context.now,
            revision=0,
            stations={},
            reason=f"carried over from {candidate.id}, which was bred from {candidate.base}",
        )
        await context.registry.add_candidate(fresh)
    return True
