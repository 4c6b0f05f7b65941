"""Every evolvable gene with its kind, bounds and steps. Operators read this table; nothing else names genes.

`memory.snapshot` is not here: memory evolution makes snapshots, the search only chooses how much of one is used.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from policies.genome import Genome, LayerName, StrategyLayer
from policies.strategy.agreement import MODES
from policies.strategy.cascade import AGREEMENT
from policies.strategy.choice import compared
from policies.strategy.router import AUTO

Kind = Literal["toggle", "choice", "number", "model", "models", "intents", "rules", "text", "few_shots"]

_NEEDS: dict[str, Callable[[StrategyLayer], bool]] = {
    "router_": lambda genes: genes.model_key == AUTO,
    "cascade_": lambda genes: genes.cascade_model is not None,
    "voter": lambda genes: genes.use_consensus,
    "quorum": lambda genes: genes.use_consensus,
    "consensus_": lambda genes: genes.use_consensus,
    "agreement_similarity": lambda genes: genes.agreement == "embedding" and bool(compared(genes)),
    "agreement": lambda genes: genes.use_consensus or genes.cascade_verifier == AGREEMENT,
}


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

    def idle(self, genome: Genome) -> bool:
        """Whether the gene does nothing in that genome, because another one that it belongs to is off."""
        if self.name == "embedding_weight":
            return not genome.memory.recalls
        needed = next((needed for prefix, needed in _NEEDS.items() if self.name.startswith(prefix)), None)
        return needed is not None and self.name != "cascade_model" and not needed(genome.strategy)

    def step(self, value: float | None, by: float) -> float | int:
        """One step from `value` (from `start` where unset), kept within bounds and free of float dust."""
        low, high = self.bounds
        moved = min(high, max(low, (self.start if value is None else value) + by))
        return int(moved) if all(float(step).is_integer() for step in self.steps) else round(moved, 4)


GENES: tuple[Gene, ...] = (
    Gene("prompt", "rubric", "rules"),
    Gene("prompt", "placement", "choice", choices=("before", "after")),  # `replace` drops the client's own text
    Gene("prompt", "cot", "toggle", choices=(False, True)),
    Gene("prompt", "few_shots", "few_shots"),
    Gene("prompt", "tone", "choice", choices=(None, "neutral", "friendly", "formal")),
    Gene("prompt", "verbosity", "choice", choices=(None, "brief", "balanced", "thorough")),
    Gene("prompt", "format", "choice", choices=(None, "plain", "markdown", "json")),
    Gene("prompt", "tool_instructions", "text"),
    Gene("memory", "retriever_topk", "number", bounds=(0, 20), steps=(1, 2), start=3),
    Gene("memory", "shots_topk", "number", bounds=(0, 8), steps=(1, 2), start=2),
    Gene("memory", "min_score", "number", bounds=(0.0, 50.0), steps=(0.5, 2.5), start=0.0),
    Gene("memory", "embedding_weight", "number", bounds=(0.0, 50.0), steps=(1.0, 5.0), start=0.0),
    Gene("strategy", "model_key", "model"),
    Gene("strategy", "temperature", "number", bounds=(0.0, 1.0), steps=(0.1, 0.2), start=0.7),
    Gene("strategy", "top_p", "number", bounds=(0.05, 1.0), steps=(0.05, 0.1), start=1.0),
    Gene("strategy", "max_tokens", "number", bounds=(256, 8192), steps=(256, 512), start=1024),
    Gene("strategy", "repairs", "choice", choices=("off", "local", "ask")),
    Gene("strategy", "use_consensus", "toggle", choices=(False, True)),
    Gene("strategy", "voters", "number", bounds=(2, 7), steps=(1, 2), start=3),
    Gene("strategy", "quorum", "number", bounds=(0.2, 1.0), steps=(0.1, 0.2), start=0.6),
    Gene("strategy", "agreement", "choice", choices=MODES),
    Gene("strategy", "agreement_similarity", "number", bounds=(0.5, 1.0), steps=(0.02, 0.1), start=0.9),
    Gene("strategy", "consensus_deadline_s", "number", bounds=(0.5, 120.0), steps=(0.5, 5.0), start=30.0),
    Gene("strategy", "voter_models", "models"),
    Gene("strategy", "cascade_model", "model"),
    Gene("strategy", "cascade_verifier", "model"),
    Gene("strategy", "cascade_threshold", "number", bounds=(0.1, 1.0), steps=(0.1, 0.2), start=0.6),
    Gene("strategy", "cascade_samples", "number", bounds=(1, 5), steps=(1, 2), start=3),
    Gene("strategy", "router_similarity", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=1.0),
    Gene("strategy", "router_capability", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_rating", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_cost", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.3),
    Gene("strategy", "router_latency", "number", bounds=(0.0, 2.0), steps=(0.1, 0.3), start=0.1),
    Gene("strategy", "intent_models", "intents"),
    Gene("strategy", "timeout_s", "number", bounds=(1.0, 600.0), steps=(5.0, 20.0), start=60.0),
    Gene("strategy", "first_byte_timeout_s", "number", bounds=(0.5, 300.0), steps=(2.5, 10.5), start=20.0),
    Gene("strategy", "retries", "number", bounds=(0, 5), steps=(1,), start=2),
    Gene("strategy", "max_in_flight", "number", bounds=(1, 1024), steps=(4, 16), start=64),
)
# Of these nothing shows where each request is one call that nothing limits: worlds of that kind leave them alone.
SERVED = frozenset(gene.name for gene in GENES[next(at for at, g in enumerate(GENES) if g.name == "repairs") :])
BY_NAME: dict[str, Gene] = {gene.name: gene for gene in GENES}


def of_kind(*kinds: Kind) -> tuple[Gene, ...]:
    """The genes of these kinds, in the table's order."""
    return tuple(gene for gene in GENES if gene.kind in kinds)
