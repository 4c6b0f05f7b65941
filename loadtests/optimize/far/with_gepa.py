"""GEPA on the world's texts: its adapter evaluates there, its reflection asks there."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import gepa  # type: ignore[import-not-found]  # in an environment of its own
from gepa import EvaluationBatch
from line import Candidate, Task, World  # type: ignore[import-not-found]  # beside this script


class Adapter:
    """GEPA's: examples are their ids, a trajectory is a score."""

    def __init__(self, world: World) -> None:
        self._world = world

    def evaluate(self, batch: list[str], candidate: Candidate, capture_traces: bool = False) -> Any:
        scores = [score["quality"] for score in self._world.evaluate(candidate, batch)]
        return EvaluationBatch(outputs=scores, scores=scores, trajectories=scores if capture_traces else None)

    def make_reflective_dataset(  # of GEPA's form; the reflection model reads only which parts to change
        self, _: Candidate, eval_batch: Any, components_to_update: list[str]
    ) -> dict[str, list[dict[str, Any]]]:
        return {part: [{"Feedback": str(score)} for score in eval_batch.scores] for part in components_to_update}

    propose_new_texts = None


class Quiet:
    def log(self, message: str) -> None:
        """Nobody reads it."""


def optimize(world: World, task: Task) -> tuple[Candidate, float]:
    """One run of gepa.optimize.

    `options`: `validation` (share of the calls that one full evaluation takes), `steps` (of the reflection model, for
    one proposal), and any argument of gepa.optimize.
    """
    rng = Random(task.seed)
    options = dict(task.options)
    size = min(len(task.examples), max(8, int(task.calls * options.pop("validation"))))

    steps = options.pop("steps")

    def reflect(candidate: Candidate, _: Mapping[str, Sequence[Any]], components: list[str]) -> Candidate:
        for part in components * steps:
            candidate = world.vary(candidate, part)
        return {part: candidate[part] for part in components}

    result = gepa.optimize(
        seed_candidate=task.start,
        trainset=task.examples,
        valset=rng.sample(task.examples, size),
        adapter=Adapter(world),
        custom_candidate_proposer=reflect,
        max_metric_calls=task.calls,
        logger=Quiet(),
        seed=task.seed,
        **options,
    )
    return result.best_candidate, result.val_aggregate_scores[result.best_idx]


if __name__ == "__main__":
    World().tasks(optimize)
