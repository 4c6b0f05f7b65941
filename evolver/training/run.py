"""Training on a policy's recordings by replay, and what is done with the outcome."""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np

from evolver.context import Context
from evolver.examples import Example
from evolver.proposals import Proposal
from evolver.proposals.reflection import Reflection, reflect
from evolver.provider import Completion
from evolver.search import Budget, Score
from evolver.searching import material, replayed
from evolver.training.curriculum import curriculum
from evolver.training.experience import Reflect, distil
from evolver.training.grpo import grpo
from evolver.training.space import slots
from evolver.training.terms import Hyper, Terms
from evolver.training.values import Answered, Ask, Method, Trained
from policies.errors import ConflictError, ProviderError
from policies.genome import Genome
from policies.registry.values import Candidate, Finding, Version

_LOG = logging.getLogger(__name__)
REFLECTION_TOKENS = (20_000, 8_192)  # in and out, that one call to the reflection model takes at most
STATION = "training"  # what a candidate's statistics are stored under


async def train(
    method: Method,
    base: Version,
    proposals: Sequence[Proposal],
    findings: Sequence[Finding],
    examples: Sequence[Example],
    *,
    context: Context,
    rng: np.random.Generator,
    budget: Budget | None = None,
) -> Trained:
    """One training run on a policy's newest recordings.

    Args:
        method: "grpo" chooses among what was proposed; "experience" distils rules of its own.
        base: The version in production.
        proposals: Where GRPO takes its rules and texts from.
        findings: The most severe of them is what the outcome is said to come from.
        examples: Recorded requests.
        context: Settings, provider, policy.
        rng: The only source of randomness.
        budget: Default: `evolver.training.calls_per_run` and `.usd_per_run`.

    Raises:
        ConflictError: there is nothing to train on, or nothing that could be called.
    """
    policy = context.settings.policies[base.policy]
    if not examples:
        raise ConflictError(f"policy '{base.policy}' has no recorded request with a body to learn from")
    if not context.usable(base.genome):
        raise ConflictError("training asks models anew and needs an operator's key: set `api_key` of the upstream")
    settings = context.settings.evolver.training
    recorded = 10 * max(example.cost_usd for example in examples)  # other words of a prompt cost no more than that
    dearest = min(policy.budgets.usd_per_request, recorded or policy.budgets.usd_per_request)
    terms = Terms(
        budget=budget or Budget(calls=settings.calls_per_run, usd=settings.usd_per_run),
        ceiling=lambda _genome, _example: dearest,
        rng=rng,
        hyper=Hyper(rounds=settings.rounds, group_size=settings.group_size),
        finding=max(findings, key=lambda one: one.severity).id if findings else None,
    )
    lessons = await asyncio.to_thread(curriculum, examples, rng)
    if method == "experience":
        return await distil(
            base.genome, lessons, answering(base.policy, context), terms, reflect=_reflection(context, terms.budget)
        )
    space = slots(base.genome, material(base.genome, proposals, policy, context), "prompt")
    return await grpo(base.genome, space, lessons, replayed(base.policy, context), terms)


async def taught(
    base: Version,
    proposals: Sequence[Proposal],
    findings: Sequence[Finding],
    examples: Sequence[Example],
    context: Context,
) -> list[Proposal]:
    """What the trainer named in `evolver.training.in_cycle` proposes: one genome that gained something, or none."""
    method = context.settings.evolver.training.in_cycle
    if method is None or not context.usable(base.genome):
        return []
    rng = np.random.default_rng(context.rng.getrandbits(64))
    trained = await train(method, base, proposals, findings, examples, context=context, rng=rng)
    _LOG.info("policy %s: training by %s: %s", base.policy, method, trained.said)
    candidate = candidate_of(trained, base, now=context.now)
    if candidate is None or trained.reward_gain is None:
        return []
    return [Proposal(candidate.genome, "prompt", candidate.lineage, trained.reward_gain.mean)]


def answering(policy: str, context: Context) -> Ask:
    """Answers by asking the upstream afresh; an upstream that is down answers nothing."""
    replay = context.replay(policy)

    async def ask(genome: Genome, examples: Sequence[Example]) -> list[Answered]:
        found = await replay.run(genome, examples)
        down = next((one for one in found if not one.measured), None)
        if down is not None:
            raise ProviderError(f"training: the upstream does not answer ({down.completion.error})")
        return [
            Answered(
                Score(one.quality or 0.0, one.latency_ms, one.cost_usd),
                one.completion.answer.text if one.completion.answer is not None else "",
                one.failure,
            )
            for one in found
        ]

    return ask


def _reflection(context: Context, budget: Budget) -> Reflect | None:
    """Ideas of the reflection model, on the same budget; None without one."""
    key = context.settings.evolver.reflection.model_key
    if key is None or not context.provider.usable(key):
        return None
    price = context.settings.models[key].usd_per_mtok
    ceiling = (REFLECTION_TOKENS[0] * price.input + REFLECTION_TOKENS[1] * price.output) / 1e6

    async def charged(model_key: str, body: dict[str, Any]) -> Completion:
        held = budget.reserve(1, ceiling)
        if held is None:
            raise ProviderError("the training's budget is used up")
        usd = held.usd
        try:
            completion = await context.provider.complete(model_key, body)
            usd = completion.cost_usd
        finally:
            budget.settle(held, calls=1, usd=usd)
        return completion

    async def ideas(genome: Genome, bad: Sequence[Example], good: Sequence[Example]) -> Reflection:
        return await reflect(genome, bad, good, charged, key)

    return ideas


def candidate_of(trained: Trained, base: Version, *, now: float) -> Candidate | None:
    """The version candidate: None where nothing was learnt, or where it gained nothing on unseen examples."""
    genome, lineage, gain = trained.genome, trained.lineage, trained.reward_gain
    if genome is None or lineage is None or gain is None or gain.mean <= 0.0:
        return None
    return Candidate(
        id=secrets.token_hex(6),
        policy=base.policy,
        layer="prompt",
        genome=genome,
        base=base.label,
        lineage=lineage,
        state="proposed",
        state_since=now,
        created_at=now,
        stations={STATION: trained.statistics()},
        reason=f"{lineage.operator}: reward {gain.mean:+.3f} on {gain.examples} unseen requests"[:200],
    )
