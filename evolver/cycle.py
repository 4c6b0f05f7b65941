"""One improvement cycle of one policy: analyse, propose, search, and put the best few on their way."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from config.settings import Model, Policy
from evolver.analysis import analyze
from evolver.context import Context
from evolver.examples import Example
from evolver.proposals import Proposal, propose
from evolver.replay import Replay
from evolver.search import Breeding, Material, Score, SearchResult, search
from policies.errors import ProviderError
from policies.genome import Genome, LayerName, Lineage
from policies.lifecycle import ENDED
from policies.registry.operations import production_of
from policies.registry.values import Candidate, Finding, Version

EXAMPLES = 2_000  # newest requests that are analysed
SEARCHED = 60  # of them that genomes are evaluated on, half of them bad ones where there are enough
LIVE_PER_LAYER = 4
ADDED = 3  # candidates of one cycle


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


async def analyse(policy: str, context: Context) -> tuple[list[Example], list[Finding]]:
    """Look for findings in the newest requests that the present production served, and store them.

    What a challenger or an older version got wrong is not production's to mend.
    """
    base, _ = await production_of(context.registry, policy)
    examples = await context.store.examples(policy, arm=base.genome.content_hash, limit=EXAMPLES)
    rng = np.random.default_rng(context.rng.getrandbits(64))
    findings = await asyncio.to_thread(analyze, examples, policy=policy, now=context.now, rng=rng)
    await context.registry.add_findings(findings)
    return examples, findings


async def run(name: str, context: Context) -> Result:
    """The whole cycle.

    Raises:
        NotFoundError: the policy has no production version yet.
    """
    policy = context.settings.policies[name]
    base, _ = await production_of(context.registry, name)
    examples, findings = await analyse(name, context)
    if not examples:
        return Result(0, 0, 0, 0, 0.0, (), "no recorded request with a body to learn from")
    proposals = await propose_all(name, base, findings, examples, context)
    found = await _search(base, proposals, examples, policy, context)
    ranked = _ranked(base.genome, proposals, found)
    added = await _add(name, base, ranked, context)
    return Result(
        examples=len(examples),
        findings=len(findings),
        proposals=len(proposals),
        evaluations=found.calls if found else 0,
        usd=found.usd if found else 0.0,
        added=added,
        said=f"{len(added)} candidates from {len(proposals)} proposals, {len(findings)} findings",
    )


async def propose_all(
    policy: str, base: Version, findings: Sequence[Finding], examples: Sequence[Example], context: Context
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
        complete=context.provider.complete if key is not None else None,
        reflection_key=key,
        has_memory=bool(settings is not None and settings.memory_file),
        tombstones=await tried(policy, base, context),
    )


async def tried(policy: str, base: Version, context: Context) -> set[str]:
    """Content that failed, that has ended without proof against this very version, or that is on its way."""
    stones = {stone.content_hash for stone in await context.registry.tombstones(policy)}
    candidates = await context.registry.candidates(policy)
    return stones | {c.genome.content_hash for c in candidates if c.base == base.label or c.state not in ENDED}


def serving_models(context: Context) -> dict[str, Model]:
    """Models that may answer clients: all but those that judge and reflect."""
    evolver = context.settings.evolver
    kept_back = {evolver.judge.model_key, evolver.reflection.model_key}
    return {key: model for key, model in context.settings.models.items() if key not in kept_back}


async def _search(
    base: Version, proposals: Sequence[Proposal], examples: Sequence[Example], policy: Policy, context: Context
) -> SearchResult | None:
    """Race the proposals and their offspring against production by replay; None where nothing can be replayed."""
    settings = context.settings.evolver.search
    genomes = (base.genome, *(proposal.genome for proposal in proposals))
    if settings.usd_per_cycle <= 0.0 or not context.usable(*genomes):
        return None
    replay = Replay(context.settings, policy, context.provider)

    async def evaluate(genome: Genome, chosen: Sequence[Example]) -> list[Score]:
        replayed = await replay.run(genome, chosen)
        down = next((one for one in replayed if not one.measured), None)
        if down is not None:
            raise ProviderError(f"replay: the upstream does not answer ({down.completion.error})")
        return [Score(one.quality or 0.0, one.latency_ms, one.cost_usd) for one in replayed]

    seeds = [(base.genome, base.lineage), *((proposal.genome, proposal.lineage) for proposal in proposals)]
    return await search(
        seeds,
        evaluate,
        examples=sample(examples, context.rng),
        settings=settings,
        breeding=Breeding(material=_material(proposals, policy, context)),
        rng=np.random.default_rng(context.rng.getrandbits(64)),
        ceiling=lambda _genome, _example: policy.budgets.usd_per_request,
    )


def _material(proposals: Sequence[Proposal], policy: Policy, context: Context) -> Material:
    """What offspring may be made of: rules that were proposed, and models that serve."""
    rules = {rule.id: rule for proposal in proposals for rule in proposal.genome.prompt.rubric}
    layers: tuple[LayerName, ...] = ("prompt", "strategy", "memory") if policy.memory_file else ("prompt", "strategy")
    return Material(model_keys=tuple(serving_models(context)), rules=tuple(rules.values()), layers=layers)


def sample(examples: Sequence[Example], rng: Random) -> list[Example]:
    """Requests to evaluate on: half of them bad ones, where there are enough; those that say nothing left out."""
    telling = [example for example in examples if example.failure is None or example.failed]
    bad = [example for example in telling if example.bad]
    fine = [example for example in telling if not example.bad]
    chosen = rng.sample(bad, min(len(bad), SEARCHED // 2))
    return chosen + rng.sample(fine, min(len(fine), SEARCHED - len(chosen)))


def _ranked(
    base: Genome, proposals: Sequence[Proposal], found: SearchResult | None
) -> list[tuple[Genome, Lineage, LayerName]]:
    """Best first. After a search only what did not do worse than production; without one, the proposers' order.

    Replay sees what validators and known answers see. What the proposers expect of an idea counts beside its gain, and
    their first choice gets its try even where the race has passed it over, unless it was measured to be worse.
    """
    if found is None:
        return [(proposal.genome, proposal.lineage, proposal.layer) for proposal in proposals]
    expected = {proposal.genome.content_hash: proposal.score for proposal in proposals}
    better = [one for one in found.ranked if one.gain >= 0.0 and one.genome != base]
    better.sort(key=lambda one: -(one.gain + expected.get(one.genome.content_hash, 0.0)))
    ranked = [(one.genome, one.lineage, base.changed_layers(one.genome)[0]) for one in better]
    raced = {one.genome.content_hash for one in found.ranked}
    first = [p for p in proposals[:1] if p.genome.content_hash not in raced]
    return [*((p.genome, p.lineage, p.layer) for p in first), *ranked]


async def _add(
    policy: str, base: Version, ranked: Sequence[tuple[Genome, Lineage, LayerName]], context: Context
) -> tuple[str, ...]:
    """Store the best few as candidates: none that is tombstoned or on its way, at most so many per layer."""
    live = [c for c in await context.registry.candidates(policy, live=True) if c.state != "promoted"]
    room = {layer: LIVE_PER_LAYER - sum(c.layer == layer for c in live) for _, _, layer in ranked}
    known = await tried(policy, base, context)
    added: list[str] = []
    for genome, lineage, layer in ranked:
        if len(added) == ADDED:
            break
        if room[layer] <= 0 or genome.content_hash in known:
            continue
        candidate = Candidate(
            id=secrets.token_hex(6),
            policy=policy,
            layer=layer,
            genome=genome,
            base=base.label,
            lineage=lineage,
            state="proposed",
            state_since=context.now,
            created_at=context.now,
            reason=lineage.explanation[:200] or f"proposed by {lineage.operator or lineage.source}",
        )
        if await context.registry.add_candidate(candidate):
            room[layer] -= 1
            added.append(candidate.id)
    return tuple(added)
