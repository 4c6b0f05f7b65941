"""Changes of the strategy and memory layers: neighbouring models by price, steps of temperature, tokens and top-k."""

from collections.abc import Iterator, Mapping, Sequence

from config.upstreams import Model
from evolver.examples import Example
from evolver.proposals.values import Idea, SetGene, Together
from evolver.search.genes import BY_NAME
from policies.genome import Genome
from policies.registry.values import Finding
from policies.strategy.router import AUTO

INPUT_SHARE = 3.0  # input tokens per output token in the blended price, as is common for chat
MISSHAPEN = frozenset({"invalid_output", "invalid_tool_call"})
MEANING = 5.0  # what an entry of the very meaning of a question scores beside its words
FASTER_OR_CHEAPER = frozenset({"too_slow", "too_dear"})


def blended_price(model: Model) -> float:
    """US dollars per million tokens at three input tokens to one output token."""
    price = model.usd_per_mtok
    return (INPUT_SHARE * price.input + price.output) / (INPUT_SHARE + 1)


def current_key(production: Genome, served_by: str, models: Mapping[str, Model]) -> str | None:
    """The model key in force: the genome's, or the one that answers under the provider's name `served_by`."""
    if production.strategy.model_key not in {None, AUTO}:
        return production.strategy.model_key
    return next((key for key, model in models.items() if served_by in (key, model.model)), None)


def neighbours(key: str | None, models: Mapping[str, Model]) -> tuple[str | None, str | None]:
    """The next cheaper and the next dearer model key; None where there is none, or the current one is unknown."""
    if key is None or key not in models:
        return None, None
    price = blended_price(models[key])
    by_price = sorted((blended_price(model), name) for name, model in models.items())
    cheaper = [name for other, name in by_price if other < price]
    dearer = [name for other, name in by_price if other > price]
    return (cheaper[-1] if cheaper else None), (dearer[0] if dearer else None)


def strategy_ideas(
    production: Genome,
    finding: Finding,
    bad: Sequence[Example],
    models: Mapping[str, Model],
    *,
    has_memory: bool = False,
    embeds: bool = False,
) -> list[Idea]:
    """What calling the model otherwise may bring for this finding."""
    key = current_key(production, str(finding.evidence.get("model", "")), models)
    if finding.kind == "cheaper_model":
        named = str(finding.evidence.get("cheaper", ""))
        found = next((name for name, model in models.items() if named in (name, model.model)), None)
        return [_cheaper(found, "Recordings suggest that it may serve these requests", 1.0)] if found else []
    if finding.kind in ("latency_outliers", "degrading_model"):
        return list(_lighter(production, key, models, reach=0.5))
    if finding.kind == "degrading_tool":
        return []
    if finding.kind == "memory_gap":
        return list(_memory(production, embeds=embeds)) if has_memory else []
    more = _memory(production, embeds=embeds) if has_memory else ()
    return [*_for_failures(production, key, bad, models), *more]


def _cheaper(key: str, why: str, reach: float) -> Idea:
    return _idea(("cheaper", "model_key", key), f"{why}; the shadow will tell.", reach=reach, promise=0.4)


def _lighter(production: Genome, key: str | None, models: Mapping[str, Model], *, reach: float) -> Iterator[Idea]:
    cheaper, _ = neighbours(key, models)
    if cheaper is not None:
        yield _idea(
            ("faster", "model_key", cheaper), f"{cheaper} costs less and is likely faster.", reach=reach, promise=0.4
        )
    tokens = production.strategy.max_tokens
    if tokens is not None:
        fewer = BY_NAME["max_tokens"].step(tokens, -512)
        yield _idea(
            ("fewer_tokens", "max_tokens", fewer), "A lower limit bounds time and cost.", reach=reach, promise=0.3
        )


def _for_failures(
    production: Genome, key: str | None, bad: Sequence[Example], models: Mapping[str, Model]
) -> Iterator[Idea]:
    total = max(len(bad), 1)
    cut = sum(example.failure == "cut_short" for example in bad) / total
    heavy = sum(example.failure in FASTER_OR_CHEAPER for example in bad) / total
    content = 1.0 - cut - heavy
    if cut > 0:
        more = BY_NAME["max_tokens"].step(production.strategy.max_tokens, 512)
        yield _idea(("more_tokens", "max_tokens", more), "Answers were cut at the token limit.", reach=cut, promise=0.6)
    if heavy > 0:
        yield from _lighter(production, key, models, reach=heavy)
    yield from _served(production, sum(example.failure in MISSHAPEN for example in bad) / total, content)
    if content > 0:
        _, dearer = neighbours(key, models)
        if dearer is not None:
            yield _idea(
                ("stronger", "model_key", dearer),
                f"{dearer} is the next stronger model by price.",
                reach=content,
                promise=0.5,
            )
        cooler = BY_NAME["temperature"].step(production.strategy.temperature, -0.2)
        yield _idea(
            ("cooler", "temperature", cooler), "A lower temperature slips less often.", reach=content, promise=0.3
        )


def _served(production: Genome, misshapen: float, content: float) -> Iterator[Idea]:
    """What several calls may mend."""
    if misshapen > 0 and production.strategy.repairs != "ask":
        why = "An answer of the wrong shape is repaired, or asked for again."
        yield _idea(("repair", "repairs", "ask"), why, reach=misshapen, promise=0.6)
    if content > 0 and not production.strategy.use_consensus:
        why = "What most of several answers say is right more often; it costs as many calls."
        yield _idea(("vote", "use_consensus", True), why, reach=content, promise=0.2)


def _memory(production: Genome, *, embeds: bool) -> Iterator[Idea]:
    topk = production.memory.retriever_topk
    more = BY_NAME["retriever_topk"].step(topk, 2) if topk else int(BY_NAME["retriever_topk"].start)
    yield _idea(
        ("more_memory", "retriever_topk", more),
        "More of what is known may hold what answers lacked.",
        reach=0.5,
        promise=0.3,
    )
    if embeds and not production.memory.embeds:
        start = SetGene("retriever_topk", topk or int(BY_NAME["retriever_topk"].start))
        edit = Together((start, SetGene("embedding_weight", MEANING)))
        why = "What is known may be said in other words than it is asked for."
        yield Idea(edit, "strategy:by_meaning", why, 0.5, 0.3)


def _idea(gene: tuple[str, str, object], explanation: str, *, reach: float, promise: float) -> Idea:
    name, gene_name, value = gene
    return Idea(SetGene(gene_name, value), f"strategy:{name}", explanation, reach, promise)
