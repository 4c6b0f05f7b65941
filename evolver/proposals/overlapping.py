"""Changes of strategy that the log speaks for: users were given these actions before, at known odds, and liked them.

Candidates are other models, models by intent and steps of the router's weights. Each is estimated off-policy against
production on the same units; proposed is what is better by the lower end of its interval, the best few. That end is
chosen among many, so it is a reason to try, not a proof: what follows are the same gates as for any other proposal.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any

from evolver.proposals.values import Idea, SetGene
from evolver.search.genes import BY_NAME
from policies.genome import Genome
from policies.strategy.router import AUTO

OPERATOR = "log:"
MOST = 3  # of one cycle
INTENTS = 8  # the most frequent ones
_WEIGHTS = tuple(f"router_{name}" for name in ("similarity", "capability", "rating", "cost", "latency"))

Estimate = Callable[[Genome], dict[str, Any]]  # see `evolver.logged.compared`


def logged_ideas(production: Genome, intents: Counter[str], models: Collection[str], estimate: Estimate) -> list[Idea]:
    """What the log speaks for, the best first.

    Args:
        production: what it would replace.
        intents: of the log's units.
        models: that may serve.
        estimate: of a genome against production.
    """
    found: list[tuple[float, Idea]] = []
    for name, edit in _edits(production, intents, models):
        genome = edit.apply(production)
        said = estimate(genome) if genome is not None else {}
        low = float(said.get("low", 0.0))
        if low > 0.0:
            found.append((low, Idea(edit, f"{OPERATOR}{name}", _why(name, said), 1.0, min(1.0, 0.5 + low))))
    found.sort(key=lambda one: -one[0])
    return [idea for _, idea in found[:MOST]]


def _edits(production: Genome, intents: Counter[str], models: Collection[str]) -> Iterator[tuple[str, SetGene]]:
    genes = production.strategy
    yield from (
        ("model", SetGene("model_key", key)) for key in models if key not in {genes.model_key, genes.cascade_model}
    )
    for intent in [name for name, _ in intents.most_common() if name][:INTENTS]:
        kept = [pair.model_dump() for pair in genes.intent_models if pair.intent != intent]
        for key in models:
            yield "intent", SetGene("intent_models", (*kept, {"intent": intent, "model": key}))
    if genes.model_key == AUTO:
        for name in _WEIGHTS:
            gene = BY_NAME[name]
            for by in (*gene.steps, *(-step for step in gene.steps)):
                yield "router", SetGene(name, gene.step(gene.read(production), by))


def _why(name: str, said: dict[str, Any]) -> str:
    what = {"model": "this model", "intent": "this model for the intent", "router": "these weights"}[name]
    basis = said["candidate"]
    return (
        f"On the log {what} earned {said['gain']:+.3f} ({said['low']:+.3f} to {said['high']:+.3f}) in reward against "
        f"production; {basis['units']} units, worth {basis['effective']:.0f}."
    )
