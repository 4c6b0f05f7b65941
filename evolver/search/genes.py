"""Every evolvable gene with its kind, bounds and steps. Operators read this table; nothing else names genes.

`memory.snapshot` is not here: memory evolution makes snapshots, the search only chooses how much of one is used. Which
models vote and which one verifies (`voter_models`, `cascade_verifier`) is for operators to say.
"""

from dataclasses import dataclass
from typing import Any, Literal

from policies.genome import Genome, LayerName
from policies.strategy.agreement import MODES

Kind = Literal["toggle", "choice", "number", "model", "rules", "text", "few_shots"]


@dataclass(frozen=True, slots=True)
class Gene:
    """One gene. `steps` are tried up and down from `start` where the gene is unset; `bounds` are inclusive."""

    layer: LayerName
    name: str
    kind: Kind
    choices: tuple[Any, ...] = ()
    bounds: tuple[float, float] = (0.0, 0.0)
    steps: tuple[float, ...] = ()
    start: float = 0.0

    def read(self, genome: Genome) -> Any:
        """The gene's value in that genome."""
        return getattr(getattr(genome, self.layer), self.name)

    def write(self, genome: Genome, value: Any) -> Genome:
        """That genome with the gene set and its layer validated.

        Raises:
            pydantic.ValidationError: the value is out of bounds.
        """
        layer = getattr(genome, self.layer)
        fields = {name: getattr(layer, name) for name in type(layer).model_fields}
        return genome.model_copy(update={self.layer: type(layer)(**(fields | {self.name: value}))})

    def step(self, value: float | None, by: float) -> float | int:
        """One step from `value` (from `start` where unset), kept within bounds and free of float dust."""
        low, high = self.bounds
        moved = min(high, max(low, (self.start if value is None else value) + by))
        return int(moved) if all(float(step).is_integer() for step in self.steps) else round(moved, 4)


GENES: tuple[Gene, ...] = (
    Gene("prompt", "rubric", "rules"),
    Gene("prompt", "placement", "choice", choices=("before", "after", "replace")),
    Gene("prompt", "cot", "toggle", choices=(False, True)),
    Gene("prompt", "few_shots", "few_shots"),
    Gene("prompt", "tone", "choice", choices=(None, "neutral", "friendly", "formal")),
    Gene("prompt", "verbosity", "choice", choices=(None, "brief", "balanced", "thorough")),
    Gene("prompt", "format", "choice", choices=(None, "plain", "markdown", "json")),
    Gene("prompt", "tool_instructions", "text"),
    Gene("memory", "retriever_topk", "number", bounds=(0, 20), steps=(1, 2), start=3),
    Gene("memory", "shots_topk", "number", bounds=(0, 8), steps=(1, 2), start=2),
    Gene("memory", "min_score", "number", bounds=(0.0, 50.0), steps=(0.5, 2.0)),
    Gene("memory", "shots_topk", "number", bounds=(0, 8), steps=(1, 2), start=2),
    Gene("memory", "min_score", "number", bounds=(0.0, 50.0), steps=(0.5, 2.5), start=0.0),
    Gene("strategy", "model_key", "model"),
    Gene("strategy", "temperature", "number", bounds=(0.0, 1.0), steps=(0.1, 0.2), start=0.7),
    Gene("strategy", "top_p", "number", bounds=(0.05, 1.0), steps=(0.05, 0.1), start=1.0),
    Gene("strategy", "max_tokens", "number", bounds=(256, 8192), steps=(256, 512), start=1024),
    Gene("strategy", "repairs", "choice", choices=("off", "local", "ask")),
    Gene("strategy", "use_consensus", "toggle", choices=(False, True)),
    Gene("strategy", "voters", "number", bounds=(2, 7), steps=(1, 2), start=3),
    Gene("strategy", "quorum", "number", bounds=(0.2, 1.0), steps=(0.1, 0.2), start=0.6),
    Gene("strategy", "agreement", "choice", choices=MODES),
    Gene("strategy", "consensus_deadline_s", "number", bounds=(0.5, 120.0), steps=(0.5, 5.0), start=30.0),
    Gene("strategy", "cascade_model", "model"),
    Gene("strategy", "cascade_threshold", "number", bounds=(0.1, 1.0), steps=(0.1, 0.2), start=0.6),
    Gene("strategy", "cascade_samples", "number", bounds=(1, 5), steps=(1, 2), start=3),
    Gene("strategy", "router_similarity", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=1.0),
    Gene("strategy", "router_capability", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_rating", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_cost", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_latency", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.1),
)
# A replay makes one plain call, in which these do not act: they are proposed, and tried on traffic, but not searched.
SERVED = frozenset(gene.name for gene in GENES[next(at for at, g in enumerate(GENES) if g.name == "repairs") :])
BY_NAME: dict[str, Gene] = {gene.name: gene for gene in GENES}


def of_kind(*kinds: Kind) -> tuple[Gene, ...]:
    """The genes of these kinds, in the table's order."""
    return tuple(gene for gene in GENES if gene.kind in kinds)
