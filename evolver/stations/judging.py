"""The judge's station: on shadow pairs, after the shadow has passed and before the canary.

Looks after every `judge.pairs` pairs, at most `LOOKS` times; the error budget is shared between the looks.
"""

import asyncio
from typing import Any

from evolver.context import Context, short
from evolver.judge.pairwise import PROMPT, JudgeError, bounds, judge
from evolver.provider import model_key_of
from evolver.stations.base import Move, wait
from evolver.store.reads import Texts
from policies.registry.operations import production_of
from policies.registry.values import Candidate

ALPHA = 0.05
LOOKS = 4


class Judging:
    """shadow -> judged where the score's lower bound reaches the threshold; stores its scores under `judge`."""

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Nothing before the shadow has passed."""
        if candidate.stations.get("shadow", {}).get("verdict") != "pass":
            return None
        settings = context.settings.evolver.judge
        if settings.model_key is None:
            return self._without(candidate, required=settings.required)
        refusal = await self._refusal(candidate, settings.model_key, context)
        if refusal:
            return wait(candidate, refusal)
        so_far = candidate.stations.get("judge", {})
        pairs = await context.store.texts(candidate.id, after=int(so_far.get("after", 0)), limit=settings.pairs)
        if len(pairs) < settings.pairs:
            return self._too_few(candidate, context, len(pairs))
        return await self._look(candidate, so_far, pairs, context)

    def _without(self, candidate: Candidate, *, required: bool) -> Move | None:
        if required:
            return wait(
                candidate, "waits for a judge: set `evolver.judge.model_key`, or `required: false` to do without"
            )
        reason = "no judge: the operator set `judge.required: false`"
        return Move("pass", reason, "judge", {"required": False})

    async def _refusal(self, candidate: Candidate, model_key: str, context: Context) -> str:
        """A model is no judge of its own answers."""
        production, _ = await production_of(context.registry, candidate.policy)
        judged = {model_key_of(context.settings, genome, {}) for genome in (production.genome, candidate.genome)}
        models = context.settings.models
        if any(key is not None and models[key].model == models[model_key].model for key in judged):
            return f"waits: the judge ('{model_key}') is the model that it would judge; name another"
        return "" if context.provider.usable(model_key) else "waits: the judge's upstream needs an operator's key"

    def _too_few(self, candidate: Candidate, context: Context, waiting: int) -> Move | None:
        policy = context.policy(candidate.policy)
        if policy is not None and context.now - candidate.state_since >= 2 * policy.shadow.horizon_s:
            return Move("expire", "too few pairs for the judge came within the shadow's horizon")
        return None if waiting == 0 else wait(candidate, "waits for more pairs to be judged")

    async def _look(
        self, candidate: Candidate, so_far: dict[str, Any], pairs: list[Texts], context: Context
    ) -> Move | None:
        model_key = context.settings.evolver.judge.model_key
        assert model_key is not None
        try:
            judgements = await asyncio.gather(*(judge(pair, context.provider.complete, model_key) for pair in pairs))
        except JudgeError as error:
            return wait(candidate, f"waits: {error}")
        scores = [*so_far.get("scores", []), *(one.score for one in judgements)]
        preferences = [*so_far.get("preferences", []), *(one.preference for one in judgements)]
        samples = [*so_far.get("samples", []), *(pair.id for pair in pairs)]
        looks = int(so_far.get("looks", 0)) + 1
        measured = {
            "model_key": model_key,
            "prompt": PROMPT,
            "scores": scores,
            "preferences": preferences,
            "samples": samples,
            "looks": looks,
            "after": pairs[-1].number,
        }
        return decide(measured, context.settings.evolver.judge.threshold)


def decide(measured: dict[str, Any], threshold: float) -> Move:
    """Pass, fail, expire after the last look, or go on."""
    scores: list[float] = measured["scores"]
    mean = sum(scores) / len(scores)
    low, high = bounds(mean, len(scores), ALPHA / LOOKS)
    measured = {**measured, **short({"mean": mean, "low": low, "high": high, "threshold": threshold})}
    said = f"the judge's score is {mean:.2f} over {len(scores)} pairs, at least {low:.2f}"
    if low >= threshold:
        return Move("pass", f"{said}: {threshold:g} is enough", "judge", measured)
    if high < threshold:
        return Move("fail", f"{said} and at most {high:.2f}: below {threshold:g}", "judge", measured)
    if measured["looks"] >= LOOKS:
        return Move("expire", f"{said}: {threshold:g} is not shown", "judge", measured)
    return Move(None, f"{said}; judging goes on", "judge", measured)
