"""The truth about promotions: old and new version answer the same fresh tasks, checked against the hidden answers.

Nothing of it is seen by gateway or evolver: it asks a provider of its own, with tasks that the traffic never had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import numpy as np

from config.settings import Settings
from evolver.examples import Example
from evolver.provider import Provider
from evolver.replay import Replay, Replayed, gates_of, weights_of
from gateway.sandbox.app import running_sandbox
from gateway.sandbox.tasks import Task, draw_task
from gateway.sandbox.worlds import World
from loadtests.month.configuration import DELAY_SCALE
from loadtests.month.plan import mix
from policies.fitness import reward
from policies.genome import Genome

TASKS = 800  # of a comparison; as many again where it is not clear
MOST = 3_200
Z = 1.96
Verdict = Literal["true", "false", "unclear"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The mean paired difference in true reward with its 95 % interval, and the mean true quality of both."""

    before: float
    after: float
    gain: float
    low: float
    high: float
    tasks: int

    @property
    def verdict(self) -> Verdict:
        """A promotion is true where the interval lies above nought, false where it lies below or about nothing."""
        if self.low > 0.0:
            return "true"
        return "false" if self.high < 0.0 or self.tasks >= MOST else "unclear"


class Oracle:
    """Compares versions of one policy."""

    def __init__(self, settings: Settings, policy: str, seed: int) -> None:
        self._settings = settings
        self._name = policy
        self._policy = settings.policies[policy]
        self._seed = seed
        self._world = World(seed)

    async def compare(self, before: Genome, after: Genome, day: float) -> Truth:
        """On what is asked on that day; more tasks until it is clear, or `MOST` are done."""
        rng, differences, qualities = Random(f"{self._seed} {day}"), list[float](), list[tuple[float, float]]()
        async with running_sandbox(self._seed, delay_scale=DELAY_SCALE) as url:
            settings = _pointed_at(self._settings, url)
            async with Provider(settings) as provider:
                replay = Replay(settings, self._policy, provider)
                while True:
                    tasks = [self._task(rng, day) for _ in range(TASKS)]
                    old, new = [await self._rewards(replay, genome, tasks) for genome in (before, after)]
                    differences += [b[0] - a[0] for a, b in zip(old, new, strict=True)]
                    qualities += [(a[1], b[1]) for a, b in zip(old, new, strict=True)]
                    truth = _truth(differences, qualities)
                    if truth.verdict != "unclear":
                        return truth

    def _task(self, rng: Random, day: float) -> Task:
        families = mix(day)
        return draw_task(rng, self._world, rng.choices(list(families), list(families.values()))[0])

    async def _rewards(self, replay: Replay, genome: Genome, tasks: Sequence[Task]) -> list[tuple[float, float]]:
        """(reward, quality) of each answer, scored by the task's own check."""
        found = await replay.run(genome, [self._example(number, task) for number, task in enumerate(tasks)])
        return [self._reward(one, task) for one, task in zip(found, tasks, strict=True)]

    def _example(self, number: int, task: Task) -> Example:
        unknown = {"policy": self._name, "unit": "", "turn": 1, "arm": "", "version": "", "intent": "", "model": ""}
        body = task.body("assistant")
        return Example(id=str(number), at=0.0, stream=False, body=body, answer=None, **unknown)  # type: ignore[arg-type]

    def _reward(self, found: Replayed, task: Task) -> tuple[float, float]:
        answer = found.completion.answer
        score = task.check(answer.text, answer.tool_calls) if answer is not None else 0.0
        worth = reward(
            failure=found.failure,
            validators=found.validators,
            score=score,
            latency_ms=found.latency_ms,
            output_tokens=answer.output_tokens if answer else 0,
            repairs=0,
            cost_usd=found.cost_usd,
            weights=weights_of(self._policy),
            gates=gates_of(self._policy),
        )
        return (worth.value if worth else 0.0), score


def _pointed_at(settings: Settings, url: str) -> Settings:
    upstreams = {name: one.model_copy(update={"base_url": url}) for name, one in settings.upstreams.items()}
    return settings.model_copy(update={"upstreams": upstreams})


def _truth(differences: Sequence[float], qualities: Sequence[tuple[float, float]]) -> Truth:
    values, (before, after) = np.asarray(differences), np.asarray(qualities).mean(axis=0)
    mean, half = float(values.mean()), Z * float(values.std(ddof=1)) / len(values) ** 0.5
    return Truth(float(before), float(after), mean, mean - half, mean + half, len(values))
