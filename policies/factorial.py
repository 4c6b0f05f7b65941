"""A factorial canary: candidates of several layers at once, each toggled independently of the others.

A unit's genome is production with the layers of those candidates that it was given, so every combination of layers is
an arm, and its propensity is the product of what each layer gave. Each candidate keeps an experiment of its own: units
with it against units without it, whatever else they were given. Since the other layers are drawn independently, both
sides hold the same mixture of them, and the odds between the two sides are the layer's own: every test of two arms is
valid as it is, and a rollback names the layer. What it tests is the main effect at the present mixture of the others.

Source: Fisher, "The arrangement of field experiments", 1926; Imbens and Rubin, "Causal inference", 2015, on factorials.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import fsum, prod
from typing import Self

from policies.assignment import Shares
from policies.bandit import Posterior
from policies.genome import Genome, LayerName
from policies.registry.values import Candidate, Experiment

Sides = tuple[frozenset[str], frozenset[str]]  # arms (content hashes) without a candidate, and with it
Cell = tuple[str, ...]  # by factor: the content hash of the candidate that was given, or production's


@dataclass(frozen=True, slots=True)
class Design:
    """All combinations. `factors` hold the candidates (content hashes) of one layer each; `arms` the cells' genomes."""

    production: str
    factors: tuple[tuple[str, ...], ...]
    arms: Mapping[Cell, Genome]

    @classmethod
    def of(cls, production: Genome, candidates: Iterable[tuple[LayerName, Genome]]) -> Self:
        """The design of candidates that were bred from `production`, in the order in which they are given."""
        by_layer: dict[LayerName, dict[str, Genome]] = {}
        for layer, genome in candidates:
            by_layer.setdefault(layer, {})[genome.content_hash] = genome
        own = production.content_hash
        levels = [[(own, layer, production), *((h, layer, g) for h, g in c.items())] for layer, c in by_layer.items()]
        arms = {
            tuple(name for name, _, _ in chosen): reduce(
                lambda genome, one: genome.with_layer(one[1], one[2]), chosen, production
            )
            for chosen in product(*levels)
        }
        return cls(own, tuple(tuple(candidates) for candidates in by_layer.values()), arms)

    def sides(self, candidate: str) -> Sides:
        """The two sides of a candidate's comparison.

        Raises:
            KeyError: it is no part of the design.
        """
        at = next((i for i, factor in enumerate(self.factors) if candidate in factor), None)
        if at is None:
            raise KeyError(candidate)
        without, with_it = (
            frozenset(genome.content_hash for cell, genome in self.arms.items() if cell[at] == name)
            for name in (self.production, candidate)
        )
        return without, with_it

    def marginal(self, at: int, posteriors: Mapping[str, Posterior]) -> dict[str, Posterior]:
        """For production and each candidate of factor `at`: the rewards of all arms that have it."""
        found: dict[str, Posterior] = {}
        for cell, genome in self.arms.items():
            known = posteriors.get(genome.content_hash, Posterior())
            found[cell[at]] = found.get(cell[at], Posterior()).merge(known)
        return found

    def joint(self, layers: Sequence[Shares]) -> Shares:
        """The arms' propensities, production first, from those of each factor's own draw.

        `layers[i]` has production as its first arm and then the candidates of factor i.
        """
        rest = {
            genome.content_hash: prod(shares.propensity(name) for shares, name in zip(layers, cell, strict=True))
            for cell, genome in self.arms.items()
            if genome.content_hash != self.production
        }
        return Shares((self.production, *rest), (1.0 - fsum(rest.values()), *rest.values()))


def compared(
    candidate: Candidate,
    experiment: Experiment,
    control: Genome,
    experiments: Sequence[Experiment],
    candidates: Iterable[Candidate],
) -> Sides:
    """The arms without and with a candidate: two, or all combinations with those of other layers in canary meanwhile.

    `experiments` and `candidates` are the policy's. One that had left the canary by then changes nothing: where an arm
    could not be drawn, its odds are nil.
    """
    beside = {e.candidate for e in alongside(experiment, experiments)}
    others = [c for c in candidates if c.id in beside and c.layer != candidate.layer]
    design = Design.of(control, [(c.layer, c.genome) for c in (candidate, *others)])
    return design.sides(candidate.genome.content_hash)


def alongside(experiment: Experiment, experiments: Iterable[Experiment]) -> list[Experiment]:
    """The comparisons of other candidates with the same control that had not ended when that one began."""
    began = experiment.started_at
    same = (e for e in experiments if e.control == experiment.control and e.candidate != experiment.candidate)
    return [e for e in same if e.ended_at is None or e.ended_at >= began]


def share_of_each(production_share: float, factors: int) -> float:
    """What production keeps in each factor, so that units without any candidate have `production_share` in all."""
    return float(production_share ** (1.0 / factors))


def propensity(odds: Mapping[str, float], sides: Sides) -> float | None:
    """The candidate's propensity among the two sides; None where either side could not be drawn."""
    without, with_it = (fsum(odds.get(arm, 0.0) for arm in sorted(side)) for side in sides)
    return with_it / (with_it + without) if without > 0.0 and with_it > 0.0 else None
