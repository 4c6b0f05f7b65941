"""Genomes: what EvoGate varies, as typed, bounded, frozen values with a content hash."""

from policies.genome.genome import Genome, Lineage, Source
from policies.genome.layers import (
    LAYERS,
    FewShot,
    LayerName,
    MemoryLayer,
    PromptLayer,
    Rule,
    StrategyLayer,
)

__all__ = [
    "LAYERS",
    "FewShot",
    "Genome",
    "LayerName",
    "Lineage",
    "MemoryLayer",
    "PromptLayer",
    "Rule",
    "Source",
    "StrategyLayer",
]
