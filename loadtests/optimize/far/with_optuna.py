"""Optuna on the world's decisions: each trial is scored on a few examples drawn for it."""

import json
from random import Random

import optuna  # type: ignore[import-not-found]  # in an environment of its own
from line import Candidate, Task, World  # type: ignore[import-not-found]  # beside this script


def optimize(world: World, task: Task) -> tuple[Candidate, float]:
    """`options`: `sampler` (tpe or nsga2), `each` (examples of a trial), and any argument of the sampler."""
    rng = Random(task.seed)
    options = dict(task.options)
    sampler, each = options.pop("sampler"), min(options.pop("each"), len(task.examples))
    several = sampler == "nsga2"
    made = (optuna.samplers.NSGAIISampler if several else optuna.samplers.TPESampler)(seed=task.seed, **options)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=made, directions=["maximize", "minimize"] if several else ["maximize"])

    def objective(trial: "optuna.Trial") -> tuple[float, ...]:
        chosen = [trial.suggest_categorical(f"slot {i}", list(range(n))) for i, n in enumerate(task.slots)]
        scores = world.evaluate({"choices": json.dumps(chosen)}, rng.sample(task.examples, each))
        quality = sum(score["quality"] for score in scores) / each
        usd = sum(score["cost_usd"] for score in scores) / each
        return (quality, usd) if several else (quality,)

    study.optimize(objective, n_trials=task.calls // each)
    best = max(study.best_trials, key=lambda trial: trial.values[0])
    chosen = [best.params[f"slot {i}"] for i in range(len(task.slots))]
    return {"choices": json.dumps(chosen)}, best.values[0]


if __name__ == "__main__":
    World().tasks(optimize)
