"""promptolution's CAPO on the world's texts, without few-shots: a prompt's instruction is the whole candidate."""

import json
import random
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
from line import Candidate, Task, World  # type: ignore[import-not-found]  # beside this script
from promptolution.llms.base_llm import BaseLLM  # type: ignore[import-not-found]  # in an environment of its own
from promptolution.optimizers.capo import CAPO  # type: ignore[import-not-found]
from promptolution.predictors.base_predictor import BasePredictor  # type: ignore[import-not-found]
from promptolution.tasks.base_task import BaseTask  # type: ignore[import-not-found]
from promptolution.utils.callbacks import BaseCallback  # type: ignore[import-not-found]

CROSS = "cross <mother> with <father>"
VARY = "vary <instruction>"


class Reflection(BaseLLM):
    """The world's reflection model; what it is asked is one or two candidates."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def _get_response(self, prompts: list[str], _: list[str]) -> list[str]:
        return [f"<prompt>{json.dumps(self._said(candidates(prompt)))}</prompt>" for prompt in prompts]

    def _said(self, asked: list[Candidate]) -> Candidate:
        return self._world.cross(*asked) if len(asked) == 2 else self._world.vary(asked[0])


class Caller(BasePredictor):
    """A prediction is its score."""

    def __init__(self, llm: BaseLLM, world: World) -> None:
        super().__init__(llm)
        self._world = world

    def predict(self, prompts: list[str], xs: list[str], **_: Any) -> tuple[list[str], list[str]]:
        found = [
            str(self._world.evaluate(candidates(prompt)[0], [x])[0]["quality"])
            for prompt, x in zip(prompts, xs, strict=True)
        ]
        return found, found

    def _extract_preds(self, preds: list[str]) -> list[str]:
        return preds


class Scored(BaseTask):
    """Examples by their ids."""

    def _evaluate(self, _xs: list[str], _ys: list[str], preds: list[str]) -> Any:
        return np.array([float(pred) for pred in preds])


class Budget(BaseCallback):
    """Ends where another step as dear as the dearest would not fit."""

    def __init__(self, world: World, calls: int) -> None:
        super().__init__()
        self._world, self._calls, self._before, self._dearest = world, calls, 0, 0

    def on_step_end(self, _: Any) -> bool:
        self._dearest = max(self._dearest, self._world.spent - self._before)
        self._before = self._world.spent
        return bool(self._world.spent + self._dearest <= self._calls)


def candidates(text: str) -> list[Candidate]:
    """The JSON objects in a text."""
    found, at = [], text.find("{")
    while at >= 0:
        value, end = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at = text.find("{", end)
    return found


def optimize(world: World, task: Task) -> tuple[Candidate, float]:
    """`options`: `population`, `block` (examples), and any argument of CAPO."""
    random.seed(task.seed)
    options = dict(task.options)
    population, block = options.pop("population"), options.pop("block")
    start = [task.start, *(world.vary(task.start) for _ in range(population - 1))]
    examples = random.sample(task.examples, len(task.examples))
    llm = Reflection(world)
    capo = CAPO(
        predictor=Caller(llm, world),
        task=Scored(
            pd.DataFrame({"x": examples}),
            "x",
            task_description="",
            n_subsamples=block,
            eval_strategy="sequential_block",
            seed=task.seed,
        ),
        meta_llm=llm,
        initial_prompts=[json.dumps(candidate) for candidate in start],
        crossover_template=CROSS,
        mutation_template=VARY,
        upper_shots=0,
        create_fs_reasoning=False,
        df_few_shots=pd.DataFrame({"x": []}),
        callbacks=[Budget(world, task.calls)],
        **options,
    )
    prompts = capo.optimize(task.calls)
    return candidates(prompts[0].instruction)[0], float(capo.scores[0])


if __name__ == "__main__":
    World().tasks(optimize)
