"""One improvement cycle of one policy: analyse, propose, search, and put the best few on their way.

A cycle whose process ended goes on where it stood: see `evolver.notebook`, and `evolver.searching` for its search.
"""

import asyncio
import logging
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evolver.analysis import analyze
from evolver.analysis.summary import STATE as ANALYSIS
from evolver.analysis.summary import summary
from evolver.context import Context
from evolver.examples import Example
from evolver.golden import sealed
from evolver.intents import learn
from evolver.logged import compared, read_log
from evolver.memory.drafts import LEARNT
from evolver.memory.gate import sources_of
from evolver.memory.propose import remember
from evolver.notebook import Choice, Notebook, Outcome
from evolver.proposals import Proposal, propose
from evolver.proposals.overlapping import logged_ideas
from evolver.proposals.reflection import Complete
from evolver.proposals.thrift import OPERATOR as THRIFT
from evolver.proposals.values import Idea
from evolver.search import Ranked, SearchResult
from evolver.searching import Work, forget, planned, searched, serving_models, unfinished
from evolver.training import taught
from policies.genome import Genome, Lineage
from policies.lifecycle import ENDED
from policies.registry.operations import production_of
from policies.registry.values import Candidate, Finding, Version

log = logging.getLogger(__name__)

EXAMPLES = 2_000  # newest requests that are analysed
LIVE_PER_LAYER = 4
ADDED = 3  # candidates of one cycle
MOST_RECORDS = 50  # named behind one candidate


@dataclass(frozen=True, slots=True)
class Result:
    """What a cycle came to."""

    examples: int
    findings: int
    proposals: int
    evaluations: int
    usd: float
    added: tuple[str, ...]  # candidate ids
    said: str
    best: float | None = None  # quality of the best genome found, 0..1; None where nothing was searched
    hypervolume: float | None = None  # of the last generation, 0..1
    operators: dict[str, int] = field(default_factory=dict)  # proposals by operator


async def analyse(policy: str, context: Context) -> tuple[list[Example], list[Finding]]:
    """Learn the intents of the newest requests; find what went wrong in those that production served, and store it.

    What a challenger or an older version got wrong is not production's to mend.
    """
    learnt = await learn(policy, await context.store.examples(policy, limit=EXAMPLES), context)
    log.info("policy %s: %s", policy, learnt)
    base, _ = await production_of(context.registry, policy)
    examples = await context.store.examples(policy, arm=base.genome.content_hash, limit=EXAMPLES)
    models = [one.id for one in await context.registry.candidates(policy) if one.layer == "strategy"]
    shadows = await context.store.shadowed(policy, base.genome.content_hash, models)
    findings = await asyncio.to_thread(analyze, examples, policy=policy, now=context.now, shadows=shadows)
    await context.registry.add_findings(findings)
    said = summary(examples, len(findings), policy=policy, now=context.now)
    await context.registry.set_state(ANALYSIS.format(policy), said)
    return examples, findings


async def run(name: str, context: Context) -> Result:
    """The whole cycle.

    Raises:
        NotFoundError: the policy has no production version yet.
    """
    base, _ = await production_of(context.registry, name)
    notebook = Notebook.open(context.home, name, context.cycle or secrets.token_hex(8), base.label)
    outcome = notebook.outcome
    if outcome is not None:
        forget(name, context)
    else:
        outcome = await _sought(name, base, notebook, context)
    if outcome is None:
        notebook.close()
        return Result(0, 0, 0, 0, 0.0, (), "no recorded request with a body to learn from")
    added = await _add(name, base, outcome.ranked, notebook, context)
    notebook.close()
    facts = outcome.facts
    said = f"{len(added)} candidates from {facts['proposals']} proposals, {facts['findings']} findings"
    return Result(**facts, added=added, said=said)


async def _sought(name: str, base: Version, notebook: Notebook, context: Context) -> Outcome | None:
    """All that costs money, up to the genomes that may become candidates; None where nothing is recorded."""
    work = unfinished(name, base, context) or await _prepared(name, base, notebook, context)
    if work is None:
        return None
    outcomes: list[Outcome] = []

    def conclude(found: SearchResult | None) -> None:
        outcomes.append(_outcome(base, work, found))
        notebook.conclude(outcomes[-1])

    await searched(name, work, context, conclude)
    return outcomes[-1]


def _outcome(base: Version, work: Work, found: SearchResult | None) -> Outcome:
    facts = {
        "examples": work.examples,
        "findings": work.findings,
        "proposals": len(work.proposals),
        "evaluations": found.calls if found else 0,
        "usd": found.usd if found else 0.0,
        "best": max((one.objectives.quality for one in found.ranked), default=None) if found else None,
        "hypervolume": found.history[-1].hypervolume if found and found.history else None,
        "operators": dict(Counter(one.lineage.operator for one in work.proposals)),
    }
    return Outcome(_ranked(base.genome, work.proposals, found), facts)


async def _prepared(name: str, base: Version, notebook: Notebook, context: Context) -> Work | None:
    """Analysis and proposals; None where nothing is recorded."""
    analysed = notebook.analysed
    if analysed is None:
        analysed = await analyse(name, context)
        notebook.analyse(*analysed)
    examples, findings = analysed
    if not examples:
        return None
    proposals = await propose_all(
        name, base, findings, examples, context, complete=notebook.asking(context.provider.complete)
    )
    learnt = await taught(base, proposals, findings, examples, context)
    proposals += await remember(base, findings, examples, context, _sealed(name, context))
    proposals.sort(key=lambda proposal: -proposal.score)
    proposals = [*learnt, *proposals]  # measured before ideas
    told = [await sources_of(name, base.genome, proposal.genome, context) for proposal in proposals]
    unseen = [example for example in examples if not any(example.id in sources for sources in told)]
    return planned(base, proposals, unseen or examples, findings=len(findings), context=context)


async def propose_all(
    policy: str,
    base: Version,
    findings: Sequence[Finding],
    examples: Sequence[Example],
    context: Context,
    *,
    complete: Complete,
) -> list[Proposal]:
    """Proposals from the reflection model where there is one that can be called, from templates otherwise."""
    settings = context.policy(policy)
    key = context.settings.evolver.reflection.model_key
    if key is not None and not context.provider.usable(key):
        key = None
    return await propose(
        base.genome,
        findings,
        examples,
        models=serving_models(context),
        rng=np.random.default_rng(context.rng.getrandbits(64)),
        complete=complete if key is not None else None,
        reflection_key=key,
        has_memory=bool(settings is not None and settings.memory_file) or base.genome.memory.snapshot is not None,
        embeds=context.settings.embeddings.model_key is not None,
        tombstones=await tried(policy, base, context),
        sealed=_sealed(policy, context),
        logged=await _logged(policy, base.genome, context),
    )


async def _logged(policy: str, production: Genome, context: Context) -> list[Idea]:
    """What users were given already at known odds, and rewarded more than what production does."""
    log = (await read_log(policy, context)).recent
    intents, models = Counter(unit.intent for unit in log.units), serving_models(context)
    return await asyncio.to_thread(
        logged_ideas, production, intents, models, lambda one: compared(log, one, production)
    )


def _sealed(policy: str, context: Context) -> Sequence[str]:
    """Golden texts that no proposal may quote."""
    settings = context.policy(policy)
    return sealed(Path(settings.golden_file)) if settings is not None and settings.golden_file else ()


async def tried(policy: str, base: Version, context: Context) -> set[str]:
    """Content that failed, that has ended without proof against this very version, or that is on its way."""
    stones = {stone.content_hash for stone in await context.registry.tombstones(policy)}
    candidates = await context.registry.candidates(policy)
    return stones | {c.genome.content_hash for c in candidates if c.base == base.label or c.state not in ENDED}


def _ranked(base: Genome, proposals: Sequence[Proposal], found: SearchResult | None) -> list[Choice]:
    """Best first. After a search only what did not do worse than production; without one, the proposers' order.

    Replay sees what validators and known answers see. What the proposers expect of an idea counts beside its gain, and
    their first choice gets its try even where the race has passed it over, unless it was measured to be worse. So do
    the best learnt memory, which speaks to requests whose right answer replay does not know, and the best saving: the
    race is for quality.
    """
    if found is None:
        return [(proposal.genome, proposal.lineage, proposal.layer) for proposal in proposals]
    expected = {proposal.genome.content_hash: proposal.score for proposal in proposals}
    better = [one for one in found.ranked if one.gain >= 0.0 and one.genome != base]
    better.sort(key=lambda one: -(one.gain + expected.get(one.genome.content_hash, 0.0)))
    ranked = [(one.genome, one.lineage, base.changed_layers(one.genome)[0]) for one in better]
    raced = {one.genome.content_hash: one for one in found.ranked}
    first = [p for p in proposals[:1] if p.genome.content_hash not in raced]
    allowed = [p for p in proposals if not _worse(raced.get(p.genome.content_hash))]
    for kind in (LEARNT, THRIFT):
        first += [p for p in allowed if p.lineage.operator.startswith(kind) and p not in first][:1]
    seated = [p.genome for p in first]
    return [*((p.genome, p.lineage, p.layer) for p in first), *(one for one in ranked if one[0] not in seated)]


def _worse(measured: Ranked | None) -> bool:
    """Measured to lose quality beyond its interval, which is as wide above the gain as below."""
    return measured is not None and 2 * measured.gain - measured.gain_low < 0.0


async def _add(
    policy: str, base: Version, ranked: Sequence[Choice], notebook: Notebook, context: Context
) -> tuple[str, ...]:
    """Store the best few as candidates: none that is tombstoned or on its way, at most so many per layer."""
    findings = {finding.id: finding for finding in await context.registry.findings(policy)}
    before = {candidate.id for candidate in await context.registry.candidates(policy)}
    live = [c for c in await context.registry.candidates(policy, live=True) if c.state != "promoted"]
    room = {layer: LIVE_PER_LAYER - sum(c.layer == layer for c in live) for _, _, layer in ranked}
    known = await tried(policy, base, context)
    added: list[str] = []
    for genome, lineage, layer in ranked:
        name = notebook.candidate_id(genome)
        if len(added) == ADDED:
            break
        if name in before:  # added by the process that ended here
            added.append(name)
            continue
        if room[layer] <= 0 or genome.content_hash in known:
            continue
        candidate = Candidate(
            id=name,
            policy=policy,
            layer=layer,
            genome=genome,
            base=base.label,
            lineage=lineage,
            state="proposed",
            state_since=context.now,
            created_at=context.now,
            stations={"origin": origin(notebook.cycle, lineage, ranked, findings)},
            reason=lineage.explanation[:200] or f"proposed by {lineage.operator or lineage.source}",
        )
        if await context.registry.add_candidate(candidate, under=context.lease):
            room[layer] -= 1
            added.append(candidate.id)
    return tuple(added)


def origin(cycle: str, lineage: Lineage, ranked: Sequence[Choice], findings: Mapping[str, Finding]) -> dict[str, Any]:
    """The records behind a candidate: those of its finding, or, for offspring, of all that its cycle bred from."""
    named = (lineage,) if lineage.finding is not None else tuple(other for _, other, _ in ranked)
    behind = dict.fromkeys(one.finding for one in named if one.finding is not None)
    records = (record for name in behind if name in findings for record in findings[name].evidence.get("records", ()))
    return {"cycle": cycle, "findings": list(behind), "records": list(dict.fromkeys(records))[:MOST_RECORDS]}
