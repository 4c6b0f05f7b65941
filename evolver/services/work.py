"""What the services do. They compute on recordings, change nothing, and are never asked on the path of a request."""

import asyncio

import numpy as np

from evolver.analysis import Group, analyze, cluster
from evolver.context import Context
from evolver.cycle import propose_all
from evolver.proposals import Proposal
from evolver.proposals.rank import brevity, clarity, distinct
from evolver.services.messages import (
    Cluster,
    ClusterAnswer,
    ClusterRequest,
    Found,
    Patch,
    PatchesAnswer,
    PatchesRequest,
    RankAnswer,
    Ranked,
    RankRequest,
)
from policies.errors import NotFoundError
from policies.registry.operations import production_of
from policies.registry.values import Finding

SHOWN = 5  # representatives of a cluster
SHOWN_CHARS = 500


def chosen(policy: str | None, context: Context) -> str:
    """The policy that is named, or the first there is.

    Raises:
        NotFoundError: none of that name, or none at all.
    """
    known = list(context.settings.policies)
    wanted = policy or (known[0] if known else None)
    if wanted is None or wanted not in known:
        raise NotFoundError(f"there is no policy '{wanted}'; known: {', '.join(known) or 'none'}")
    return wanted


async def clusters(asked: ClusterRequest, context: Context) -> ClusterAnswer:
    """Group texts.

    Raises:
        NotFoundError: no such policy.
    """
    texts = asked.texts
    if texts is None or asked.policy is not None:
        policy = chosen(asked.policy, context)
    if texts is None:
        texts = [example.request_text for example in await context.store.examples(policy, limit=asked.limit)]
    groups = await asyncio.to_thread(cluster, texts, rng=np.random.default_rng(0))
    return ClusterAnswer(clusters=[_cluster(group, texts) for group in groups], n=len(texts))


def _cluster(group: Group, texts: list[str]) -> Cluster:
    shown = [texts[i][:SHOWN_CHARS] for i in group.members[:SHOWN]]
    return Cluster(size=len(group.members), terms=list(group.terms), representatives=shown)


async def patches(asked: PatchesRequest, context: Context) -> PatchesAnswer:
    """Analyse and propose, as a cycle does; nothing of it is stored.

    Raises:
        NotFoundError: no such policy, or it has not served yet.
    """
    policy = chosen(asked.policy, context)
    base, _ = await production_of(context.registry, policy)
    examples = await context.store.examples(policy, limit=asked.limit)
    rng = np.random.default_rng(0)
    findings = await asyncio.to_thread(analyze, examples, policy=policy, now=context.now, rng=rng)
    proposals = await propose_all(policy, base, findings, examples, context, complete=context.provider.complete)
    return PatchesAnswer(
        base=base.label, findings=[_found(one) for one in findings], patches=[_patch(one) for one in proposals]
    )


def _found(finding: Finding) -> Found:
    return Found(**{name: getattr(finding, name) for name in Found.model_fields})


def _patch(proposal: Proposal) -> Patch:
    return Patch(
        layer=proposal.layer,
        content_hash=proposal.genome.content_hash,
        genome=proposal.genome.canonical(),
        lineage=proposal.lineage.model_dump(mode="json", exclude_defaults=True),
        score=proposal.score,
        parts=proposal.parts,
    )


async def ranks(asked: RankRequest, context: Context) -> RankAnswer:
    """Order rules; those that a named policy's production says already are not new.

    Raises:
        NotFoundError: no such policy, or it has not served yet.
    """
    known: list[str] = []
    if asked.policy is not None:
        base, _ = await production_of(context.registry, chosen(asked.policy, context))
        known = [rule.text for rule in base.genome.prompt.rubric]
    fresh = distinct(asked.texts, known)
    ranked = [
        Ranked(text=text, new=new, clarity=clarity(text), brevity=brevity(text))
        for text, new in zip(asked.texts, fresh, strict=True)
    ]
    return RankAnswer(ranked=sorted(ranked, key=lambda one: (not one.new, -one.clarity * one.brevity, one.text)))
