"""The model of parts: it finds what rules and values are worth from mixed genomes, and tries what is unknown."""

from collections import Counter

import numpy as np

from evolver.search import Material, Score
from evolver.search.ledger import Ledger
from evolver.search.surrogate import Surrogate
from policies.genome import Genome, MemoryLayer, PromptLayer, Rule, StrategyLayer
from tests.evolver.search.worlds import BAD, BASE, EXAMPLES, GOOD, MATERIAL, World


def measured(genomes: list[Genome], base: Genome = BASE, noise: float = 0.02) -> Ledger:
    ledger, world = Ledger(base), World(1, noise)
    for genome in (base, *genomes):
        ledger.record(genome, EXAMPLES[:8], [world.score(genome, one) for one in EXAMPLES[:8]])
    return ledger


def mixtures(count: int, seed: int = 0) -> list[Genome]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        rules = tuple(rule for rule in (*GOOD, *BAD) if rng.random() < 0.4)
        found.append(Genome(prompt=PromptLayer(rubric=rules, cot=bool(rng.integers(2)))))
    return found


def test_parts_are_told_apart_by_genomes_that_mix_them() -> None:
    genomes = mixtures(60)
    model = Surrogate(BASE, MATERIAL, genomes, measured(genomes))
    rng = np.random.default_rng(1)
    drawn = [model.propose(rng) for _ in range(40)]
    shares = Counter(rule.id for genome in drawn for rule in genome.prompt.rubric)
    assert all(shares[rule.id] >= 36 for rule in GOOD)
    assert all(shares[rule.id] <= 8 for rule in BAD)
    assert sum(genome.prompt.cot for genome in drawn) >= 36


def test_what_is_unknown_is_tried_now_and_then() -> None:
    model = Surrogate(BASE, MATERIAL, [], measured([]))
    rng = np.random.default_rng(2)
    shares = Counter(rule.id for _ in range(200) for rule in model.propose(rng).prompt.rubric)
    assert all(40 <= shares[rule.id] <= 140 for rule in (*GOOD, *BAD))


def test_it_keeps_what_is_protected_and_to_its_layers() -> None:
    base = Genome(
        prompt=PromptLayer(rubric=(Rule(id="protected-x", text="Stay."), Rule(id="a", text="A."))),
        memory=MemoryLayer(retriever_topk=3),
        strategy=StrategyLayer(temperature=0.5),
    )
    material = Material(rules=GOOD, rewrites={"a": ("Also A.",)}, layers=("prompt",))
    model = Surrogate(base, material, [], Ledger(base))
    rng = np.random.default_rng(3)
    drawn = [model.propose(rng) for _ in range(100)]
    assert all(genome.prompt.rubric[0] == base.prompt.rubric[0] for genome in drawn)
    assert all(set(genome.changed_layers(base)) <= {"prompt"} for genome in drawn)
    wordings = {rule.text for genome in drawn for rule in genome.prompt.rubric if rule.id == "a"}
    assert wordings == {"A.", "Also A."}
    assert all(len({rule.id for rule in genome.prompt.rubric}) == len(genome.prompt.rubric) for genome in drawn)


def test_a_rule_of_production_is_kept_until_it_is_seen_to_harm() -> None:
    base = Genome(prompt=PromptLayer(rubric=(BAD[0], GOOD[0])))
    without_bad = Genome(prompt=PromptLayer(rubric=(GOOD[0],)))
    without_good = Genome(prompt=PromptLayer(rubric=(BAD[0],)))
    ledger = Ledger(base)
    for genome, quality in ((base, 0.5), (without_bad, 0.9), (without_good, 0.1)):
        ledger.record(genome, EXAMPLES, [Score(quality)] * len(EXAMPLES))
    model = Surrogate(base, Material(), [without_bad, without_good], ledger)
    rng = np.random.default_rng(4)
    drawn = [model.propose(rng).prompt.rubric for _ in range(50)]
    assert sum(BAD[0] in rules for rules in drawn) <= 2
    assert sum(GOOD[0] in rules for rules in drawn) >= 48
