"""Memory proposals of a cycle, their snapshots stored before anything names them.

A draft becomes a proposal where it brings up something for as many failed requests as would matter if it mended them
all. Snapshots that no version and no candidate names go after a week.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence

import numpy as np

from evolver.analysis.complaints import of_content
from evolver.context import Context
from evolver.examples import Example
from evolver.memory.drafts import Author, Draft
from evolver.proposals import Proposal
from evolver.proposals.recorded import Recorded
from policies.genome import Genome, Lineage
from policies.lifecycle import ENDED
from policies.memory import Library
from policies.memory.counters import Counter as Worth
from policies.memory.lines import pack
from policies.registry.values import Finding, MemorySnapshot, Version

STATE = "memory:{}"  # of the registry: counters by entry, for `evogate memory`
PROMISE = 0.6  # how often an entry near a failed request mends it, before anything is known
KEPT_S = 7 * 86_400.0
SHOWN = 5_000  # counters told to the registry, the most retrieved first


async def remember(
    base: Version,
    findings: Sequence[Finding],
    examples: Sequence[Example],
    context: Context,
    sealed: Sequence[str] = (),
) -> list[Proposal]:
    """Proposals for the memory layer; none where too little is known, or it would not matter. Nothing of `sealed` is
    quoted.
    """
    rules = context.settings.evolver.memory
    await _clear(base.policy, context)
    counters = await context.store.counters(base.policy, now=context.now, half_life_s=rules.half_life_s)
    await _tell(base.policy, counters, context)
    if not rules.learn:
        return []
    held = await context.memory(base.policy, base.genome)
    author = Author(held, base.genome.memory, rules, Recorded(sealed))
    rng = np.random.default_rng(context.rng.getrandbits(64))

    def drafted() -> list[Draft | None]:
        return [author.learning(findings, examples), author.tidied(counters), author.showing(examples, rng)]

    drafts = [draft for draft in await asyncio.to_thread(drafted) if draft is not None]
    made = [await _proposal(base, draft, findings, examples, context) for draft in drafts]
    return [proposal for proposal in made if proposal is not None]


async def _proposal(
    base: Version, draft: Draft, findings: Sequence[Finding], examples: Sequence[Example], context: Context
) -> Proposal | None:
    library = await asyncio.to_thread(Library, draft.entries)
    genome = base.genome.model_copy(update={"memory": draft.genes.model_copy(update={"snapshot": library.snapshot})})
    helped = [] if draft.tidy else [one for one in examples if of_content(one) and _helps(library, genome, one)]
    wanted = context.settings.policies[base.policy].promotion.min_gain
    if genome == base.genome or (not draft.tidy and len(helped) < wanted * len(examples)):
        return None
    why = _explained(draft, len(helped))
    await _store(base, draft, library, why, context)
    finding = _most_helped(findings, helped)
    lineage = Lineage(
        source="patch",
        operator=draft.operator,
        parents=(base.genome.content_hash,),
        finding=finding.id if finding else None,
        explanation=why,
    )
    bad = sum(map(of_content, examples))
    reach = len(helped) / bad if bad else 0.0
    severity = finding.severity if finding else 0.0
    parts = {"reduction": reach * PROMISE, "severity": severity}
    return Proposal(genome, "memory", lineage, reach * PROMISE * (0.5 + 0.5 * severity), parts)


def _helps(library: Library, genome: Genome, example: Example) -> bool:
    """Whether something is brought up for the request that was not before."""
    found = library.recall(genome.memory, example.request_text, namespace=example.tenant)
    return any(entry.id not in example.memory for entry, _ in found)


def _most_helped(findings: Sequence[Finding], helped: Sequence[Example]) -> Finding | None:
    ids = {example.id for example in helped}
    counted = [(len(ids & set(finding.evidence.get("records", ()))), finding) for finding in findings]
    best = max(counted, key=lambda one: (one[0], one[1].severity), default=None)
    return best[1] if best is not None and best[0] else None


def _explained(draft: Draft, helped: int) -> str:
    kinds = Counter(operation.kind for operation in draft.operations)
    done = ", ".join(f"{count} x {kind}" for kind, count in sorted(kinds.items()))
    return f"Memory: {done}." + ("" if draft.tidy else f" It brings up something new for {helped} failed requests.")


async def _store(base: Version, draft: Draft, library: Library, why: str, context: Context) -> None:
    before = (await context.memory(base.policy, base.genome)).library
    snapshot = MemorySnapshot(
        policy=base.policy,
        hash=library.snapshot,
        parent=before.snapshot if len(before) else "",
        at=context.now,
        who="evolver",
        why=why,
        entries=len(library),
        detail={"operations": [operation.to_json() for operation in draft.operations]},
    )
    await context.registry.add_memory(snapshot, await asyncio.to_thread(pack, draft.entries))


async def _tell(policy: str, counters: dict[str, Worth], context: Context) -> None:
    told = sorted(counters.items(), key=lambda one: -one[1].retrieved)[:SHOWN]
    rows = {name: [one.retrieved, one.rewarded, one.withheld, one.rewarded_without] for name, one in told}
    if rows:
        await context.registry.set_state(STATE.format(policy), {"at": context.now, "counters": rows})


async def _clear(policy: str, context: Context) -> None:
    """Drop snapshots that no version and no candidate on its way names."""
    candidates = await context.registry.candidates(policy)
    named = [version.genome for version in await context.registry.versions(policy)]
    named += [candidate.genome for candidate in candidates if candidate.state not in ENDED]
    keep = {genome.memory.snapshot for genome in named if genome.memory.snapshot is not None}
    await context.registry.drop_memories(policy, keep=keep, before=context.now - KEPT_S)
