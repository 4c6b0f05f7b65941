"""A genome: three layers, one content hash, and the lineage of how it came to be."""

import hashlib
import json
from typing import Any, Literal, Self

from pydantic import Field

from policies.genome.layers import LAYERS, Layer, LayerName, MemoryLayer, PromptLayer, StrategyLayer

Source = Literal["seed", "patch", "genetic", "rl_trainer", "operator"]


class Lineage(Layer):
    """Where a genome comes from; not part of its content hash."""

    source: Source
    operator: str = ""
    parents: tuple[str, ...] = ()
    generation: int = Field(default=0, ge=0)
    finding: str | None = None
    explanation: str = ""


class Genome(Layer):
    """Everything EvoGate may change about a request, as one immutable value."""

    prompt: PromptLayer = PromptLayer()
    memory: MemoryLayer = MemoryLayer()
    strategy: StrategyLayer = StrategyLayer()

    def canonical(self) -> dict[str, Any]:
        """JSON values without defaults: equal genomes give equal canonical forms, whatever their schema age."""
        return self.model_dump(mode="json", exclude_defaults=True)

    @property
    def content_hash(self) -> str:
        """128-bit BLAKE2b of the canonical form, 32 hexadecimal digits."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def changed_layers(self, other: Self) -> tuple[LayerName, ...]:
        """Names of the layers in which the two differ, in fixed order."""
        return tuple(name for name in LAYERS if getattr(self, name) != getattr(other, name))

    def with_layer(self, name: LayerName, source: Self) -> Self:
        """This genome with one layer taken from `source`."""
        return self.model_copy(update={name: getattr(source, name)})
