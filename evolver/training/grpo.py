"""GRPO over prompt edits and genes: sample a group of genomes, replay them on the same requests, learn who did better.

The policy never sees a token: an action is one option of each slot, and its reward the mean quality of the answers.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from evolver.search.ledger import Ledger
from evolver.search.race import Evaluator, measured_base
from evolver.search.ranking import by_quality
from evolver.search.values import Evaluate
from evolver.training.curriculum import Curriculum, Lesson
from evolver.training.judgement import Judgement
from evolver.training.policy import Categorical, Floats, advantages
from evolver.training.space import Choices, Slot, build
from evolver.training.terms import Terms
from evolver.training.values import GroupStatistics, Trained
from policies.genome import Genome, Lineage


async def grpo(base: Genome, space: Sequence[Slot], lessons: Curriculum, evaluate: Evaluate, terms: Terms) -> Trained:
    """Train a policy over `space` and take its best genome to examples that it never saw.

    Args:
        base: The genome in production; the policy's actions are edits of it.
        space: Decisions, from `slots`.
        lessons: From `curriculum`.
        evaluate: Scores of one genome on examples, as in the search.
        terms: Budget (hard; what the last comparison needs is set aside first), randomness, rates.
    """
    budget, ceiling = terms.budget, terms.ceiling
    run = _Run(base, space, lessons, Evaluator(evaluate, Ledger(base), budget, ceiling), terms)
    judgement = Judgement(base, lessons, budget, ceiling)
    start = budget.calls, budget.usd
    said = "the budget does not reach for a comparison on unseen examples"
    judged = None
    if judgement.affordable and space:
        said = await run.rounds()
        judged = await judgement.measure(run.finalists(), run.evaluator)
    genome, gain = judged if judged is not None else (None, None)
    return Trained(
        method="grpo",
        genome=genome,
        lineage=run.lineage() if genome else None,
        reward_gain=gain,
        groups=tuple(run.groups),
        calls=budget.calls - start[0],
        usd=budget.usd - start[1],
        said=said if judged or not judgement.affordable else f"{said}; no candidate came of it",
        faults=tuple(run.evaluator.faults),
        policy=run.learnt(),
    )


class _Run:
    """The state of one training run."""

    def __init__(
        self, base: Genome, space: Sequence[Slot], lessons: Curriculum, evaluator: Evaluator, terms: Terms
    ) -> None:
        self.base, self.space, self.lessons = base, space, lessons
        self.evaluator, self.rng, self.hyper, self.finding = evaluator, terms.rng, terms.hyper, terms.finding
        self.policy = Categorical(space)
        self.groups: list[GroupStatistics] = []
        self.sampled: Counter[Genome] = Counter()

    async def rounds(self) -> str:
        """All rounds, or as many as the budget has; why it ended."""
        if not self.lessons.lessons:
            return "there is no failure to learn from"
        for number in range(self.hyper.rounds):
            for lesson in self.lessons.lessons:
                await self._group(number, lesson)
                if self.evaluator.exhausted:
                    return "budget used up"
        return f"{self.hyper.rounds} rounds done"

    async def _group(self, number: int, lesson: Lesson) -> None:
        batch = self.lessons.batch(lesson, self.rng)
        group = [self.policy.sample(self.rng) for _ in range(self.hyper.group_size)]
        genomes = [build(self.base, self.space, choices) for choices in group]
        ids = {example.id for example in batch}
        await measured_base(self.evaluator, self.base, batch)  # estimates are paired with it
        measured = [
            (choices, genome)
            for choices, genome in zip(group, genomes, strict=True)
            if await self.evaluator.measure(genome, batch)
        ]
        rewards = np.array([self._reward(genome, ids) for _, genome in measured])
        self.sampled.update(genome for _, genome in measured)
        skipped = "fewer than two were measured" if len(rewards) < 2 else "" if rewards.std() > 1e-9 else "no variance"
        clipped = 0.0 if skipped else self._learn([choices for choices, _ in measured], rewards)
        spread = (
            (float(rewards.mean()), float(rewards.std()), float(rewards.max())) if len(rewards) else (0.0, 0.0, 0.0)
        )
        kl = self.policy.divergence()
        self.groups.append(
            GroupStatistics(number, lesson.terms, len(rewards), *spread, skipped=skipped, kl=kl, clipped=clipped)
        )

    def _learn(self, group: list[Choices], rewards: Floats) -> float:
        hyper, old, clipped = self.hyper, self.policy.probabilities(), 0.0
        better = advantages(rewards)
        for _ in range(hyper.passes):
            clipped = self.policy.step(group, better, old, rate=hyper.rate, clip=hyper.clip, kl=hyper.kl)
        return clipped

    def _reward(self, genome: Genome, ids: set[str]) -> float:
        qualities = self.evaluator.ledger.qualities(genome)
        return float(np.mean([quality for example, quality in qualities.items() if example in ids]))

    def finalists(self) -> list[Genome]:
        """The policy's mode, the best sampled by estimate, the most often sampled; none where nothing was learnt."""
        if all(group.skipped for group in self.groups):
            return []
        mode = build(self.base, self.space, self.policy.mode())
        best = by_quality(list(self.sampled), self.evaluator.ledger)
        often = sorted(best, key=lambda genome: -self.sampled[genome])
        return [genome for genome in dict.fromkeys([mode, *best[:1], *often]) if genome != self.base]

    def lineage(self) -> Lineage:
        """Where what it makes comes from."""
        learnt = sum(not group.skipped for group in self.groups)
        return Lineage(
            source="rl_trainer",
            operator="grpo",
            parents=(self.base.content_hash,),
            finding=self.finding,
            explanation=f"A policy over {len(self.space)} edits, trained on {learnt} groups of replayed answers.",
        )

    def learnt(self) -> dict[str, dict[str, float]]:
        """The policy as it stands."""
        pairs = zip(self.space, self.policy.probabilities(), strict=True)
        return {
            slot.name: {slot.label(i): round(float(chance), 4) for i, chance in enumerate(chances)}
            for slot, chances in pairs
        }
