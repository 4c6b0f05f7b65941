"""Training as a service: a policy's recordings in, a version candidate and the statistics behind it out."""

import asyncio

import numpy as np
from aiohttp import web
from pydantic import Field

from evolver.analysis import analyze
from evolver.api.common import DAEMON, Body, body_of, policy_of, reply
from evolver.context import frozen
from evolver.cycle import EXAMPLES, propose_all
from evolver.search import Budget
from evolver.services.messages import TrainAnswer
from evolver.training import Method, Trained, candidate_of, train
from policies.errors import ConflictError
from policies.registry.operations import production_of


class TrainBody(Body):
    """Learn from a policy's newest recordings, on a budget; what gains on unseen requests is proposed.

    `grpo` trains a policy over edits that proposers had ideas for; `experience` compares groups of answers and distils
    rules. Without `calls` and `usd` the configured budget holds.
    """

    policy: str | None = None
    method: Method = "grpo"
    limit: int = Field(default=EXAMPLES, ge=1, le=10_000)
    calls: int | None = Field(default=None, ge=0, le=100_000)
    usd: float | None = Field(default=None, ge=0.0, le=1_000.0)
    seed: int = Field(default=0, ge=0)
    propose: bool = True


async def training(request: web.Request) -> web.Response:
    """POST /api/v1/train."""
    body = await body_of(request, TrainBody)
    daemon, policy = request.app[DAEMON], policy_of(request, body.policy)
    if body.propose and await frozen(daemon.registry):
        raise ConflictError("all change is frozen; `evogate thaw` resumes it, and `propose: false` only computes")
    context = daemon.context()
    base, _ = await production_of(context.registry, policy)
    examples = await context.store.examples(policy, limit=body.limit)
    rng = np.random.default_rng(body.seed)
    findings = await asyncio.to_thread(analyze, examples, policy=policy, now=context.now, rng=rng)
    proposals = await propose_all(policy, base, findings, examples, context, complete=context.provider.complete)
    settings = context.settings.evolver.training
    budget = Budget(
        calls=settings.calls_per_run if body.calls is None else body.calls,
        usd=settings.usd_per_run if body.usd is None else body.usd,
    )
    trained = await train(body.method, base, proposals, findings, examples, context=context, rng=rng, budget=budget)
    candidate = candidate_of(trained, base, now=context.now) if body.propose else None
    added = candidate is not None and await context.registry.add_candidate(candidate)
    return reply(_answer(trained, base.label, candidate.id if candidate is not None and added else None))


def _answer(trained: Trained, base: str, candidate: str | None) -> TrainAnswer:
    return TrainAnswer.model_validate({**trained.to_dict(), "base": base, "candidate": candidate})


ROUTES = (web.post("/api/v1/train", training),)
