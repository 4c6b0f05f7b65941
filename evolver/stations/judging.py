"""The judge's station: on shadow pairs, after the shadow has passed and before the canary.

Looks after every `judge.pairs` pairs, at most `LOOKS` times; the error budget is shared between the looks.
"""

import asyncio
from pathlib import Path
from typing import Any

from evolver.context import Context, short
from evolver.judge.calibration import kappa, repeat_variance
from evolver.judge.labels import read_labels
from evolver.judge.pairwise import PROMPT, JudgeError, judge
from evolver.provider import model_key_of
from evolver.stations.base import Move, wait
from evolver.store.reads import Texts
from policies.evidence.judgement import LEAST_LABELS, ruled
from policies.genome import Genome
from policies.registry.operations import production_of
from policies.registry.values import Candidate
from policies.strategy.choice import answering
from policies.strategy.router import AUTO

REPEATS = 2  # pairs of each look that are judged once more, so that the judge's own scatter is known


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
        """A model is no judge of its own answers, nor of those that a strategy has it give."""
        production, _ = await production_of(context.registry, candidate.policy)
        judged = {key for genome in (production.genome, candidate.genome) for key in _answer_for(genome, context)}
        models = context.settings.models
        if any(key in models and models[key].model == models[model_key].model for key in judged):
            return f"waits: the judge ('{model_key}') is the model that it would judge; name another"
        return "" if context.provider.usable(model_key) else "waits: the judge's upstream needs an operator's key"

    def _too_few(self, candidate: Candidate, context: Context, waiting: int) -> Move | None:
        if _late(candidate, context):
            return Move("expire", "too few pairs for the judge came within the shadow's horizon")
        return None if waiting == 0 else wait(candidate, "waits for more pairs to be judged")

    async def _look(
        self, candidate: Candidate, so_far: dict[str, Any], pairs: list[Texts], context: Context
    ) -> Move | None:
        settings = context.settings.evolver.judge
        model_key = settings.model_key
        assert model_key is not None
        asked = [*pairs, *pairs[:REPEATS]]
        try:
            judgements = await asyncio.gather(*(judge(pair, context.provider.complete, model_key) for pair in asked))
            calibration = await calibrated(settings.labels, model_key, context)
        except JudgeError as error:
            if _late(candidate, context):
                return Move("expire", f"inconclusive: the judge gave no verdict within the shadow's horizon ({error})")
            return wait(candidate, f"waits: {error}")
        once, again = judgements[: len(pairs)], judgements[len(pairs) :]
        twice = [[a.score, b.score] for a, b in zip(once, again, strict=False)]
        measured = {
            "model_key": model_key,
            "prompt": PROMPT,
            "scores": [*so_far.get("scores", []), *(one.score for one in once)],
            "verdicts": [*so_far.get("verdicts", []), *(one.winners for one in once)],
            "preferences": [*so_far.get("preferences", []), *(one.preference for one in once)],
            "repeated": [*so_far.get("repeated", []), *twice],
            "samples": [*so_far.get("samples", []), *(pair.id for pair in pairs)],
            "looks": int(so_far.get("looks", 0)) + 1,
            "after": pairs[-1].number,
        }
        return decide(measured, settings.threshold, calibration)


def _late(candidate: Candidate, context: Context) -> bool:
    """Has it been waited for as long again as the shadow may take?"""
    policy = context.policy(candidate.policy)
    return policy is not None and context.now - candidate.state_since >= 2 * policy.shadow.horizon_s


async def calibrated(path: str | None, model_key: str, context: Context) -> dict[str, Any] | None:
    """The judge on the operator's labelled pairs; asked once for each state of file, model and prompt.

    Raises:
        JudgeError: it did not answer. OperatorError: the file is no good.
    """
    if path is None:
        return None
    labels = read_labels(Path(path))
    name = f"judge:{model_key}:{context.settings.models[model_key].model}:{PROMPT}:{labels.digest}"
    kept = await context.store.kept(name)
    if not kept and labels.pairs:
        calls = (judge(pair, context.provider.complete, model_key) for pair, _ in labels.pairs)
        found = await asyncio.gather(*calls, return_exceptions=True)
        judged = [
            (one.score, label)
            for one, (_, label) in zip(found, labels.pairs, strict=True)
            if not isinstance(one, BaseException)
        ]
        if len(judged) < len(found) / 2:
            raise JudgeError(f"{len(found) - len(judged)} of {len(found)} labelled pairs got no verdict")
        kept = {"judged": [score for score, _ in judged], "labels": [label for _, label in judged]}
        await context.store.keep(name, kept)
    return kept or None


def _answer_for(genome: Genome, context: Context) -> set[str]:
    """The models whose answers a genome gives: its own or the first there is, a strategy's, those of a router."""
    genes = genome.strategy
    keys = {key for _, key in answering(genes)}
    if genes.model_key == AUTO:
        return keys | {choice.key for choice in context.settings.choices}
    own = model_key_of(context.settings, genome, {})
    return keys | {own} if own is not None else keys


def decide(measured: dict[str, Any], threshold: float, calibration: dict[str, Any] | None = None) -> Move:
    """Pass, fail, expire after the last look, or go on.

    With enough labelled pairs (`calibration`) the mean that is corrected by them is held against the threshold.
    """
    judged, labels = (calibration["judged"], calibration["labels"]) if calibration is not None else ([], [])
    found = ruled(measured["scores"], looks=measured["looks"], threshold=threshold, judged=judged, labels=labels)
    measured = {**measured, "repeat_variance": repeat_variance([(a, b) for a, b in measured.get("repeated", [])])}
    said = f"the judge's score is {found.mean:.2f} over {len(measured['scores'])} pairs"
    if found.corrected is not None:
        given = [list(pair) for pair in zip(judged, labels, strict=True)]
        told = {"labels": len(labels), "kappa": kappa(judged, labels), "corrected": found.corrected.to_dict()}
        measured["calibration"] = {**told, "given": given}
        if len(labels) >= LEAST_LABELS:
            said += f", {found.corrected.mean:.2f} when corrected by {len(labels)} labels"
    measured |= short({"mean": found.mean, "low": found.low, "high": found.high}) | {"threshold": threshold}
    said += f", at least {found.low:.2f}"
    why = {
        "pass": f"{said}: {threshold:g} is enough",
        "fail": f"{said} and at most {found.high:.2f}: below {threshold:g}",
        "expire": f"{said}: {threshold:g} is not shown",
        None: f"{said}; judging goes on",
    }
    return Move(found.event, why[found.event], "judge", measured)
