"""Genomes as others see them: texts by part, or decisions; and the reflection model that all of them ask.

The reflection model is the one that EvoGate's search has: its operators on the world's material, drawn evenly. It knows
no more than they do, and what it is asked costs nobody a call.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from evolver.search import OPERATORS, Operator
from evolver.training import Slot, slots
from evolver.training.space import build
from loadtests.optimize.world import World
from policies.genome import Genome, LayerName

CHOICES = "choices"  # the part of a candidate that is decisions
TRIES = 20


def operators(world: World) -> Sequence[Operator]:
    """Those that have something to work on in this world."""
    if "strategy" in world.material.layers:
        return OPERATORS
    return [operator for operator in OPERATORS if operator.name == "rewrite_rule"]


class Translator:
    """Between one world's genomes and candidates."""

    def __init__(self, world: World, rng: np.random.Generator) -> None:
        self._world, self._rng = world, rng
        self.space: list[Slot] = [
            s for layer in world.material.layers for s in slots(world.base, world.material, layer)
        ]

    def told(self, genome: Genome) -> dict[str, str]:
        """A candidate: each layer that may change, in canonical form."""
        form = genome.canonical()
        return {layer: json.dumps(form.get(layer, {})) for layer in self._world.material.layers}

    def meant(self, candidate: Mapping[str, str]) -> Genome:
        """The genome of a candidate.

        Raises:
            ValueError: it is none.
        """
        if CHOICES in candidate:
            return build(self._world.base, self.space, tuple(json.loads(candidate[CHOICES])))
        layers = {layer: json.loads(text) for layer, text in candidate.items()}
        return Genome.model_validate(self._world.base.canonical() | layers)

    def vary(self, genome: Genome, part: LayerName | None) -> Genome:
        """One operator's child, of that layer alone where one is named; the genome itself where nothing can be done."""
        usable = [operator for operator in operators(self._world) if operator.parents == 1]
        for _ in range(TRIES):
            operator = usable[int(self._rng.integers(len(usable)))]
            varied = operator.apply([genome], self._world.material, self._rng) or genome
            child = varied if part is None else genome.with_layer(part, varied)
            if child != genome:
                return child
        return genome

    def cross(self, genome: Genome, other: Genome) -> Genome:
        """A child of two; one of them, by a coin, where they can't be crossed."""
        usable = [operator for operator in operators(self._world) if operator.parents == 2]
        for i in self._rng.permutation(len(usable)):
            operator: Operator = usable[int(i)]
            child = operator.apply([genome, other], self._world.material, self._rng)
            if child is not None:
                return child
        return genome if self._rng.integers(2) else other
