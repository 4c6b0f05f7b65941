"""Settings of the other optimizers. The tuned ones were chosen on worlds that tune, see `tune`, and report nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Setting:
    """Whose environment, which script, and its options; `by_world` has those that differ by world."""

    peer: str
    script: str
    options: Mapping[str, Any]
    by_world: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def of(self, world: str) -> dict[str, Any]:
        """The options in that world."""
        return {**self.options, **self.by_world.get(world, {})}


GEPA = {"validation": 0.1, "steps": 1}  # its own defaults would spend all calls on one evaluation of the seed
CAPO = {"population": 6, "block": 10}
TPE = {"sampler": "tpe", "each": 16}
NSGA2 = {"sampler": "nsga2", "each": 16, "population_size": 8}
TUNED: dict[str, dict[str, Mapping[str, Any]]] = {
    "gepa, tuned": {
        "sandbox": {"steps": 6, "validation": 0.05},
        "routing outcomes": {
            "validation": 0.2,
            "reflection_minibatch_size": 6,
            "candidate_selection_strategy": "current_best",
        },
        "prompt bank": {
            "validation": 0.2,
            "reflection_minibatch_size": 6,
            "candidate_selection_strategy": "epsilon_greedy",
        },
    },
}
SETTINGS: dict[str, Setting] = {
    "gepa": Setting("gepa", "with_gepa.py", GEPA),
    "gepa, tuned": Setting("gepa", "with_gepa.py", GEPA, TUNED.get("gepa, tuned", {})),
    "CAPO": Setting("promptolution", "with_capo.py", CAPO, TUNED.get("CAPO", {})),
    "Optuna TPE": Setting("optuna", "with_optuna.py", TPE, TUNED.get("Optuna TPE", {})),
    "Optuna NSGA-II": Setting("optuna", "with_optuna.py", NSGA2, TUNED.get("Optuna NSGA-II", {})),
}
# What `tune` may choose from, option by option.
GRID: dict[str, dict[str, list[Any]]] = {
    "gepa, tuned": {
        "steps": [1, 3, 6],
        "validation": [0.05, 0.1, 0.2],
        "reflection_minibatch_size": [3, 6, 12],
        "candidate_selection_strategy": ["pareto", "current_best", "epsilon_greedy"],
        "use_merge": [False, True],
        "acceptance_criterion": ["strict_improvement", "improvement_or_equal"],
    },
    "CAPO": {"block": [5, 10], "population": [4, 8], "crossovers_per_iter": [2, 4]},
    "Optuna TPE": {"each": [8, 16, 32], "multivariate": [False, True]},
    "Optuna NSGA-II": {"each": [8, 16], "population_size": [8, 16]},
}
