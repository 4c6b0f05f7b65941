"""What all scores so far say about single rules and gene values, and genomes made of it.

A linear model of the paired gains over the base, one weight for each rule and each gene value in which a genome differs
from it, with a normal prior (Bayesian ridge). Its weights are drawn, not averaged, so that what is little known is
tried now and then (Thompson sampling). Few genomes tell much about many genes that way, where crossing two of them
tells one thing at a time.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evolver.search.genes import BY_NAME, GENES, Gene
from evolver.search.ledger import Ledger
from evolver.search.operators import MAX_RULES, PROTECTED, Material
from policies.genome import Genome, Rule

Feature = tuple[str, Any]  # (gene, value); a rule is the value of the gene "rubric"
NOISE = 0.15  # variance of one example's paired gain
PRIOR = 0.1  # standard deviation of a feature's gain
EXPECTED = -0.1  # of another value of a gene, before it was seen: most stand where they are for a reason; a rule's is 0
LEAST = 0.02  # drawn gain from which a change is worth its words


class Surrogate:
    """A model of this search's landscape; made anew for each generation."""

    def __init__(self, base: Genome, material: Material, genomes: Sequence[Genome], ledger: Ledger) -> None:
        self._base, self._material = base, material
        known = [(genome, *ledger.gain(genome)) for genome in genomes if genome != base]
        self.known = [(genome, mean, n) for genome, mean, _, n in known if n]
        options = [*self._rules(), *(option for gene in self._genes() for option in self._values(gene))]
        features = dict.fromkeys(options)
        for genome, _, _ in self.known:
            features |= dict.fromkeys(feature for feature, _ in self._difference(genome))
        self._place = {feature: i for i, feature in enumerate(features)}
        self._mean, self._spread = self._fitted()

    def propose(self, rng: np.random.Generator | None = None) -> Genome:
        """The genome that looks best to one draw of the weights, or to their means; the base where nothing does."""
        drawn_apart = self._spread @ rng.normal(size=len(self._mean)) if rng is not None else 0.0
        weights = self._mean + drawn_apart
        drawn = {feature: float(weights[i]) for feature, i in self._place.items()}
        genome = self._with_rules(drawn)
        for gene in self._genes():
            gains = {value: drawn[gene.name, value] for _, value in self._values(gene)}
            best = max(gains, key=lambda value: gains[value], default=None)
            if gains and gains[best] > LEAST:
                genome = gene.write(genome, best)
        return genome

    def _with_rules(self, drawn: dict[Feature, float]) -> Genome:
        if "prompt" not in self._material.layers:
            return self._base
        present = set(self._base.prompt.rubric)
        worth = {
            rule: np.inf if rule.id.startswith(PROTECTED) else drawn[feature] + (2 * LEAST if rule in present else 0.0)
            for feature in self._rules()
            if isinstance(rule := feature[1], Rule)
        }
        chosen = sorted((rule for rule in worth if worth[rule] > LEAST), key=lambda rule: -worth[rule])[:MAX_RULES]
        by_id = {rule.id: rule for rule in reversed(chosen)}  # of two wordings the better one
        kept = tuple(rule for rule in worth if by_id.get(rule.id) == rule)
        return BY_NAME["rubric"].write(self._base, kept)

    def _fitted(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Posterior mean of the weights, and a square root of their covariance."""
        size = len(self._place)
        expected = np.array([0.0 if name == "rubric" else EXPECTED for name, _ in self._place])
        precision, pull = np.eye(size) / PRIOR**2, expected / PRIOR**2
        for genome, gain, n in self.known:
            row = np.zeros(size)
            for feature, sign in self._difference(genome):
                row[self._place[feature]] = sign
            precision += np.outer(row, row) * n / NOISE
            pull += row * gain * n / NOISE
        spread = np.linalg.inv(np.linalg.cholesky(precision)).T
        return np.asarray(spread @ (spread.T @ pull)), np.asarray(spread)

    def _difference(self, genome: Genome) -> Iterator[tuple[Feature, float]]:
        """Features that the genome has and the base has not, and the other way round."""
        own, base = genome.prompt.rubric, self._base.prompt.rubric
        yield from ((("rubric", rule), 1.0) for rule in own if rule not in base)
        yield from ((("rubric", rule), -1.0) for rule in base if rule not in own)
        for gene in GENES:
            value = gene.read(genome)
            if gene.kind != "rules" and value != gene.read(self._base):
                yield (gene.name, value), 1.0

    def _rules(self) -> list[Feature]:
        rules = [*self._base.prompt.rubric, *self._material.rules]
        for rule in self._base.prompt.rubric:
            rules += [Rule(id=rule.id, text=text) for text in self._material.rewrites.get(rule.id, ())]
        return [("rubric", rule) for rule in dict.fromkeys(rules)]

    def _genes(self) -> Iterator[Gene]:
        material = self._material
        usable = (gene for gene in GENES if gene.layer in material.layers and gene.name not in material.frozen)
        return (gene for gene in usable if gene.kind != "rules")

    def _values(self, gene: Gene) -> list[Feature]:
        """Other values than the base's: those that there are, that one step reaches, or that were seen."""
        now, material = gene.read(self._base), self._material
        found: dict[Any, None] = dict.fromkeys(gene.choices)
        if gene.kind == "number":
            found = dict.fromkeys(gene.step(now, sign * step) for step in gene.steps for sign in (-1, 1))
            found |= dict.fromkeys(value for genome, _, _ in self.known if (value := gene.read(genome)) is not None)
        elif gene.kind == "model":
            found = dict.fromkeys(material.model_keys)
        elif gene.kind == "text":
            found = dict.fromkeys(material.tool_instructions)
        elif gene.kind == "few_shots":
            found = dict.fromkeys((shot,) for shot in material.few_shots)
        return [(gene.name, value) for value in found if value != now]
