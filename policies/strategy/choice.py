"""From genes to the tactic that acts on them, and to the models that it may ask."""

from collections.abc import Iterator
from itertools import cycle, islice
from typing import Literal

from policies.genome import StrategyLayer
from policies.strategy.cascade import AGREEMENT, Cascade
from policies.strategy.consensus import Consensus
from policies.strategy.mending import Corrected
from policies.strategy.router import AUTO
from policies.strategy.tactic import Numbers, Role, Single, Tactic

RESERVED = frozenset({AUTO, AGREEMENT})  # no model's key
Kind = Literal["plain", "repairs", "consensus", "cascade"]


def kind_of(genes: StrategyLayer) -> Kind:
    """What a strategy is called; `plain`: one call, relayed as it comes."""
    if genes.cascade_model is not None:
        return "cascade"
    if genes.use_consensus:
        return "consensus"
    return "repairs" if genes.repairs != "off" else "plain"


def tactic_of(genes: StrategyLayer, *, streams: bool) -> Tactic:
    """A fresh tactic for one request; an answer that the client wants as a stream is never corrected."""
    numbers = Numbers()
    tactic = _consensus(genes, numbers) if genes.use_consensus else Single(numbers, _own_role(genes))
    if genes.cascade_model is not None:
        tactic = Cascade(
            numbers,
            genes.cascade_model,
            tactic,
            verifier=genes.cascade_verifier or genes.cascade_model,
            samples=genes.cascade_samples,
            threshold=genes.cascade_threshold,
            mode=genes.agreement,
            similarity=genes.agreement_similarity,
        )
    return Corrected(tactic, numbers) if genes.repairs == "ask" and not streams else tactic


def most_calls(genes: StrategyLayer) -> int:
    """How many calls one request may take: of all its voters, verdicts, and the correction."""
    own = genes.voters if genes.use_consensus else 1
    cheap = 1 + genes.cascade_samples if genes.cascade_model is not None else 0
    return own + cheap + (genes.repairs == "ask")


def answering(genes: StrategyLayer) -> Iterator[tuple[str, str]]:
    """(gene, model key) of the models that answer requests beside the request's own.

    Raises:
        ValueError: a cascade that leads from a model to itself.
    """
    yield from (("intent_models", pair.model) for pair in genes.intent_models)
    if genes.use_consensus:
        yield from (("voter_models", key) for key in genes.voter_models)
    if genes.cascade_model is not None:
        if genes.cascade_model == genes.model_key:
            raise ValueError(
                f"the cascade leads from model '{genes.model_key}' to itself; name a cheaper one as cascade_model"
            )
        yield "cascade_model", genes.cascade_model


def verifying(genes: StrategyLayer) -> Iterator[tuple[str, str]]:
    """(gene, model key) of the model that is asked about answers."""
    key = genes.cascade_verifier or genes.cascade_model
    if genes.cascade_model is not None and key is not None and key != AGREEMENT:
        yield "cascade_verifier", key


def compares_meanings(genes: StrategyLayer) -> bool:
    """Whether some answers of it are compared by their embeddings."""
    return genes.agreement == "embedding" and bool(compared(genes))


def compared(genes: StrategyLayer) -> frozenset[Role]:
    """The calls whose answers are compared with one another."""
    roles: set[Role] = {"voter"} if genes.use_consensus else set()
    if genes.cascade_model is not None and genes.cascade_verifier == AGREEMENT:
        roles |= {"cheap", "sample"}
    return frozenset(roles)


def _consensus(genes: StrategyLayer, numbers: Numbers) -> Tactic:
    models = islice(cycle(genes.voter_models or (None,)), genes.voters)
    return Consensus(
        numbers,
        list(models),
        mode=genes.agreement,
        quorum=genes.quorum,
        deadline_s=genes.consensus_deadline_s,
        similarity=genes.agreement_similarity,
    )


def _own_role(genes: StrategyLayer) -> Literal["answer", "strong"]:
    return "answer" if genes.cascade_model is None else "strong"
