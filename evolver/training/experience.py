"""The training-free variant: groups of answers to the same request are compared, and what tells the good ones from
the bad ones becomes rules; a rule stays where the answers to the same requests get better with it.

Source: Cai et al., "Training-Free Group Relative Policy Optimization", 2025. Rules are distilled by a reflection model
where there is one, by templates otherwise; neither may quote what was recorded or answered.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np

from evolver.examples import Example
from evolver.proposals.rank import distinct, score
from evolver.proposals.recorded import Recorded, recorded_texts
from evolver.proposals.reflection import Reflection
from evolver.proposals.scope import scope_check
from evolver.proposals.templates import template_ideas
from evolver.proposals.values import AddRule, DeleteRule, Idea, ReplaceRule
from evolver.search.budget import Budget, OverrunError
from evolver.search.ledger import Ledger
from evolver.search.race import Ceiling, Evaluator
from evolver.search.values import Score
from evolver.training.curriculum import Curriculum, Lesson
from evolver.training.judgement import Judgement
from evolver.training.policy import Floats
from evolver.training.terms import Hyper, Terms
from evolver.training.values import Answered, Ask, GroupStatistics, Trained
from policies.errors import EvoGateError
from policies.genome import Genome, Lineage

Reflect = Callable[[Genome, Sequence[Example], Sequence[Example]], Awaitable[Reflection]]
Rollouts = list[list[Answered]]  # answers by request
RIGHT = 0.99  # quality from which an answer is a good one
SURE = 1.28  # standard errors by which answers must get better for a rule to stay: one in ten useless ones does
OPERATIONS = {AddRule: "add", ReplaceRule: "update", DeleteRule: "delete"}


async def distil(
    base: Genome, lessons: Curriculum, ask: Ask, terms: Terms, *, reflect: Reflect | None = None
) -> Trained:
    """Collect rules from contrasted answers and take the prompt that holds them to examples that it never saw.

    Args:
        base: The genome in production.
        lessons: From `curriculum`.
        ask: Answers of one genome to examples, in their order, with their words.
        terms: Budget, randomness, rounds and group size.
        reflect: Ideas of a reflection model for (genome, bad answers, good answers); None means templates.
    """
    budget, ceiling = terms.budget, terms.ceiling
    run = _Run(base, lessons, ask, _Purse(budget, ceiling), reflect)
    judgement = Judgement(base, lessons, budget, ceiling)
    start = budget.calls, budget.usd
    said, judged = "the budget does not reach for a comparison on unseen examples", None
    evaluator = Evaluator(_scores(ask), Ledger(base), budget, ceiling)
    if judgement.affordable:
        said = await run.rounds(terms.hyper, terms.rng)
        judged = await judgement.measure([run.genome] if run.genome != base else [], evaluator)
        said = said if judged else f"{said}; no candidate came of it"
    learnt = sum(bool(group.learnt) for group in run.groups)
    lineage = Lineage(
        source="rl_trainer",
        operator="experience",
        parents=(base.content_hash,),
        finding=terms.finding,
        explanation=f"{learnt} rules from comparing {len(run.groups)} groups of answers to the same requests.",
    )
    return Trained(
        method="experience",
        genome=judged[0] if judged else None,
        lineage=lineage if judged else None,
        reward_gain=judged[1] if judged else None,
        groups=tuple(run.groups),
        calls=budget.calls - start[0],
        usd=budget.usd - start[1],
        said=said,
        faults=tuple((run.faults + evaluator.faults)[:20]),
    )


def _scores(ask: Ask) -> Callable[[Genome, Sequence[Example]], Awaitable[list[Score]]]:
    async def evaluate(genome: Genome, examples: Sequence[Example]) -> list[Score]:
        return [answered.score for answered in await ask(genome, examples)]

    return evaluate


class _Purse:
    """Calls charged to the budget one group at a time."""

    def __init__(self, budget: Budget, ceiling: Ceiling) -> None:
        self.budget, self.ceiling = budget, ceiling

    async def pay(self, ask: Ask, genome: Genome, examples: Sequence[Example]) -> list[Answered] | None:
        """The answers; None where the budget does not reach.

        Raises:
            EvoGateError, TimeoutError, OSError, ValueError: as `ask` raises them; the reservation is spent then.
        """
        held = self.budget.reserve(len(examples), sum(self.ceiling(genome, example) for example in examples))
        if held is None:
            return None
        usd = held.usd
        try:
            answers = await ask(genome, examples)
            usd = sum(answered.score.cost_usd for answered in answers)
        finally:
            self.budget.settle(held, calls=held.calls, usd=usd)
        return answers if len(answers) == len(examples) else None


class _Run:
    """The rules collected so far, as the genome that holds them."""

    def __init__(self, base: Genome, lessons: Curriculum, ask: Ask, purse: _Purse, reflect: Reflect | None) -> None:
        self.base, self.genome, self.lessons = base, base, lessons
        self.groups: list[GroupStatistics] = []
        self.faults: list[str] = []
        self._ask, self._purse, self._reflect = ask, purse, reflect
        everyone = [*lessons.good, *(one for lesson in lessons.lessons for one in lesson.bad)]
        self._recorded = recorded_texts([*everyone, *lessons.selection, *lessons.held_out])
        self._tried: set[str] = set()

    async def rounds(self, hyper: Hyper, rng: np.random.Generator) -> str:
        """All rounds, or as many as the budget has; why it ended."""
        if not self.lessons.lessons:
            return "there is no failure to learn from"
        for number in range(hyper.rounds):
            for lesson in self.lessons.lessons:
                batch = self.lessons.batch(lesson, rng)
                try:
                    rolled = await self._rolled(self.genome, batch, hyper.group_size)
                    if rolled is None:
                        return "budget used up"
                    self.groups.append(await self._group(number, lesson, batch, rolled))
                except OverrunError as error:
                    self.faults.append(str(error))
                    return "a call cost more than its ceiling"
                except (EvoGateError, TimeoutError, OSError, ValueError) as error:
                    self.faults.append(f"{type(error).__name__}: {error}")
        return f"{hyper.rounds} rounds done"

    async def _rolled(self, genome: Genome, batch: Sequence[Example], size: int) -> Rollouts | None:
        answers = await self._purse.pay(self._ask, genome, [example for example in batch for _ in range(size)])
        return None if answers is None else [answers[i * size : (i + 1) * size] for i in range(len(batch))]

    async def _group(self, number: int, lesson: Lesson, batch: Sequence[Example], rolled: Rollouts) -> GroupStatistics:
        """Compare, distil, try the best idea on the same requests, and keep it where they are answered better."""
        rewards = _rewards(rolled)
        bad, good = contrast(batch, rolled)
        figures = (rewards.size, float(rewards.mean()), float(rewards.std()), float(rewards.max()))
        idea = self._best(await self._ideas(bad, good)) if bad else None
        skipped, learnt = "", ""
        if idea is None:
            skipped = "nothing new was distilled" if bad else "no variance"
        else:
            changed = idea.edit.apply(self.genome)
            assert changed is not None, "ideas that do not apply were left out"
            again = await self._rolled(changed, batch, rewards.shape[1])
            if again is not None and _better(rewards, _rewards(again)):
                self.genome, learnt = changed, OPERATIONS.get(type(idea.edit), "update")
        return GroupStatistics(number, lesson.terms, *figures, skipped=skipped, learnt=learnt)

    async def _ideas(self, bad: Sequence[Example], good: Sequence[Example]) -> list[Idea]:
        if self._reflect is None:
            return template_ideas(bad, good)
        reflection = await self._reflect(self.genome, bad, good)
        self.faults += reflection.ignored
        return reflection.ideas or template_ideas(bad, good)

    def _best(self, ideas: Sequence[Idea]) -> Idea | None:
        """The best idea that was not tried, says something new, and passes the scope check."""
        ranked = sorted(ideas, key=lambda idea: -score(idea, 1.0)[0])
        texts = [rule.text for rule in self.genome.prompt.rubric]
        recorded = Recorded(self._recorded)
        for idea, new in zip(ranked, distinct([one.edit.text for one in ranked], texts), strict=True):
            changed = idea.edit.apply(self.genome) if new and idea.edit.layer == "prompt" else None
            if changed is None or changed.content_hash in self._tried or changed == self.base:
                continue
            self._tried.add(changed.content_hash)
            if not scope_check(self.base, changed, "prompt", recorded_texts=recorded):
                return idea
        return None


def contrast(batch: Sequence[Example], rolled: Rollouts) -> tuple[list[Example], list[Example]]:
    """(bad answers, good answers) as examples. A request whose answers are all good teaches nothing and is left out."""
    bad, good = [], []
    for example, answers in zip(batch, rolled, strict=True):
        right = [answered.score.quality >= RIGHT for answered in answers]
        if all(right):
            continue
        worst = min(answers, key=lambda answered: answered.score.quality)
        bad.append(_as_example(example, worst, 0.0))
        if any(right):
            good.append(_as_example(example, answers[right.index(True)], 1.0))
    return bad, good


def _as_example(example: Example, answered: Answered, value: float) -> Example:
    """The request with that answer, and what is known of it; a good answer needs no correction."""
    answer = {"text": answered.text, "tool_calls": [], "finish_reason": "stop"}
    correction = example.correction if value < RIGHT else None
    return replace(example, answer=answer, failure=answered.failure, score=value, correction=correction)


def _rewards(rolled: Rollouts) -> Floats:
    """One row for each request."""
    return np.array([[answered.score.quality for answered in answers] for answers in rolled])


def _better(before: Floats, after: Floats) -> bool:
    error = np.sqrt((before.var() + after.var()) / before.size)
    return bool(after.mean() - before.mean() > SURE * error)
