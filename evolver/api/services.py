"""The stages of a cycle as services: cluster, generate patches, rank, and train. The first three change nothing."""

import asyncio
from typing import Annotated

import numpy as np
from aiohttp import web
from pydantic import Field

from evolver.analysis import Group, analyze, cluster
from evolver.api import train
from evolver.api.common import DAEMON, Body, body_of, policy_of, reply
from evolver.cycle import EXAMPLES, propose_all
from evolver.proposals.rank import brevity, clarity, distinct
from policies.registry.operations import production_of

SHOWN = 5  # representatives of a cluster
Text = Annotated[str, Field(min_length=1, max_length=20_000)]


class ClusterBody(Body):
    """Group these texts, or the newest recorded requests of a policy."""

    texts: list[Text] | None = Field(default=None, max_length=10_000)
    policy: str | None = None
    limit: int = Field(default=EXAMPLES, ge=1, le=10_000)


class PatchesBody(Body):
    """Propose patches of a policy's production genome from its newest recordings."""

    policy: str | None = None
    limit: int = Field(default=EXAMPLES, ge=1, le=10_000)


class RankBody(Body):
    """Rank rules by how clear and how short they are; those that say what an earlier one says come last."""

    texts: list[Text] = Field(min_length=1, max_length=200)
    policy: str | None = None


async def clusters(request: web.Request) -> web.Response:
    """POST /api/v1/cluster."""
    body = await body_of(request, ClusterBody)
    texts, policy = body.texts, policy_of(request, body.policy)
    if texts is None:
        examples = await request.app[DAEMON].store.examples(policy, limit=body.limit)
        texts = [example.request_text for example in examples]
    groups = await asyncio.to_thread(cluster, texts, rng=np.random.default_rng(0))
    return reply({"clusters": [_group_json(group, texts) for group in groups], "n": len(texts)})


def _group_json(group: Group, texts: list[str]) -> dict[str, object]:
    representatives = [texts[i][:500] for i in group.members[:SHOWN]]
    return {"size": len(group.members), "terms": list(group.terms), "representatives": representatives}


async def patches(request: web.Request) -> web.Response:
    """POST /api/v1/generate-patches."""
    body = await body_of(request, PatchesBody)
    policy, context = policy_of(request, body.policy), request.app[DAEMON].context()
    base, _ = await production_of(context.registry, policy)
    examples = await context.store.examples(policy, limit=body.limit)
    rng = np.random.default_rng(0)
    findings = await asyncio.to_thread(analyze, examples, policy=policy, now=context.now, rng=rng)
    proposals = await propose_all(policy, base, findings, examples, context, complete=context.provider.complete)
    return reply({"base": base.label, "findings": findings, "patches": proposals})


async def rank(request: web.Request) -> web.Response:
    """POST /api/v1/rank."""
    body = await body_of(request, RankBody)
    known: list[str] = []
    if body.policy is not None:
        base, _ = await production_of(request.app[DAEMON].registry, policy_of(request, body.policy))
        known = [rule.text for rule in base.genome.prompt.rubric]
    fresh = distinct(body.texts, known)
    scored = [(not new, -clarity(text) * brevity(text), text) for text, new in zip(body.texts, fresh, strict=True)]
    ranked = [
        {"text": text, "new": not known_already, "clarity": clarity(text), "brevity": brevity(text)}
        for known_already, _, text in sorted(scored)
    ]
    return reply({"ranked": ranked})


ROUTES = (
    web.post("/api/v1/cluster", clusters),
    web.post("/api/v1/generate-patches", patches),
    web.post("/api/v1/rank", rank),
    *train.ROUTES,
)
