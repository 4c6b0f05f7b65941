"""Children: an operator, its parents, and what is left of the result within the layers that may change."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from evolver.search.ledger import Ledger
from evolver.search.operator_bandit import OperatorBandit
from evolver.search.operators import OPERATORS, Material, Operator, confine
from evolver.search.parents import ParentSelection, PerInstancePareto
from evolver.search.surrogate import Surrogate
from policies.genome import Genome, Lineage

TRIES = 20  # draws of an operator until one has something to work on
WALK = (2, 5)  # operators in a row from the base, at a restart; the second is out
RESTART = "restart"
SURROGATE = "surrogate"


@dataclass(frozen=True, slots=True)
class Breeding:
    """How children are made. With `single_layer` each differs from the base in one layer, as a candidate must.

    `modelled` is the share of children that the surrogate makes; operators make the others.
    """

    material: Material = field(default_factory=Material)
    operators: Sequence[Operator] = OPERATORS
    parents: ParentSelection = field(default_factory=PerInstancePareto)
    single_layer: bool = True
    modelled: float = 0.8


@dataclass(frozen=True, slots=True)
class Birth:
    """A child, its parent, and how it came to be."""

    genome: Genome
    parent: Genome
    lineage: Lineage


class Nursery:
    """Makes children, and remembers all that were, so that none comes twice."""

    def __init__(self, base: Genome, breeding: Breeding, rng: np.random.Generator, known: dict[str, Lineage]) -> None:
        self.bandit = OperatorBandit(breeding.operators)
        self.lineages = known
        self._base, self._breeding, self._rng = base, breeding, rng
        self._born: list[Genome] = []

    def breed(self, population: Sequence[Genome], ledger: Ledger, size: int, generation: int) -> list[Birth]:
        """That many children; fewer where operators run out of ideas."""
        model = self._model(population, ledger)

        def make() -> Birth | None:
            if self._rng.random() < self._breeding.modelled:
                return self._modelled(model, generation)
            return self._child(population, ledger, generation)

        return self._births(size, make)

    def believed(self, population: Sequence[Genome], ledger: Ledger) -> Genome:
        """The genome that the model of all scores so far finds best; the base where it finds none, or is not asked."""
        if not self._breeding.modelled:
            return self._base
        child = self._confined(self._model(population, ledger).propose(), self._base)
        lineage = Lineage(source="genetic", operator=SURROGATE, parents=(self._base.content_hash,))
        self.lineages.setdefault(child.content_hash, lineage)
        return child

    def _model(self, population: Sequence[Genome], ledger: Ledger) -> Surrogate:
        everyone = list(dict.fromkeys((*population, *self._born)))
        return Surrogate(self._base, self._breeding.material, everyone, ledger)

    def walks(self, size: int, generation: int) -> list[Birth]:
        """Children some operators away from the base: where a search starts afresh."""
        return self._births(size, lambda: self._walk(generation))

    def _births(self, size: int, make: Callable[[], Birth | None]) -> list[Birth]:
        births: list[Birth] = []
        for _ in range(size):
            birth = next((born for _ in range(TRIES) if (born := make()) is not None), None)
            if birth is not None:
                self.lineages[birth.genome.content_hash] = birth.lineage
                births.append(birth)
        self._born += [birth.genome for birth in births]
        return births

    def _modelled(self, model: Surrogate, generation: int) -> Birth | None:
        child = self._confined(model.propose(self._rng), self._base)
        return self._birth(child, [self._base], SURROGATE, generation)

    def _child(self, population: Sequence[Genome], ledger: Ledger, generation: int) -> Birth | None:
        """One try: None where the operator had nothing to work on, or the child is already known."""
        operator, rng = self.bandit.pull(self._rng), self._rng
        parents = [self._breeding.parents.choose(population, ledger, rng) for _ in range(operator.parents)]
        child = operator.apply(parents, self._breeding.material, rng)
        if child is None:
            return None
        return self._birth(self._confined(child, parents[0]), parents, operator.name, generation)

    def _walk(self, generation: int) -> Birth | None:
        genome = self._base
        for _ in range(int(self._rng.integers(*WALK))):
            operator = self.bandit.pull(self._rng)
            child = operator.apply([genome, self._base], self._breeding.material, self._rng)
            genome = genome if child is None else self._confined(child, genome)
        return self._birth(genome, [self._base], RESTART, generation)

    def _birth(self, child: Genome, parents: Sequence[Genome], operator: str, generation: int) -> Birth | None:
        if child.content_hash in self.lineages:
            return None
        hashes = tuple(dict.fromkeys(parent.content_hash for parent in parents))
        return Birth(
            child, parents[0], Lineage(source="genetic", operator=operator, parents=hashes, generation=generation)
        )

    def _confined(self, child: Genome, parent: Genome) -> Genome:
        material, single = self._breeding.material, self._breeding.single_layer
        return confine(child, parent, self._base, material, single_layer=single, rng=self._rng)
