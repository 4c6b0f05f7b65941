"""The closed loop: each gene has a stimulus under which it changes the bytes that go up; one without a row fails."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
import pytest

from evolver.search.genes import GENES as SEARCHED
from gateway.sandbox.embeddings import embed
from policies.dialects import CHAT, DIALECTS, Dialect
from policies.genome import LAYERS, Genome
from policies.memory import Entry, Library, Meanings, retrieve, snapshot_hash
from policies.render import ModelTarget, Renderer
from tests.gateway.pipeline.strategy.genes import STRATEGIES
from tests.gateway.pipeline.strategy.test_limits import LIMITS

Sent = dict[str, Any]
MODELS = {key: ModelTarget(key=key, upstream="u", model=f"provider-{key}") for key in ("small", "large")}
NOW = [
    Entry("refunds", "Refunds take 14 days."),
    Entry("shipping", "Shipping takes 5 days."),
    Entry("shot-1", "How many days for repairs?", answer="Seven."),
    Entry("shot-2", "How many sizes?", answer="Three."),
]
EARLIER = [Entry("old", "Refunds took 30 days.")]
LIBRARIES: Mapping[str | None, Library] = {None: Library(NOW), snapshot_hash(EARLIER): Library(EARLIER)}
MEANINGS = Meanings(np.stack([embed(text) for text in LIBRARIES[None].meant()]), len(LIBRARIES[None].facts))

CLIENT: Sent = {
    "model": "support",
    "messages": [{"role": "system", "content": "Client's."}, {"role": "user", "content": "How many days for refunds?"}],
}
TOOLS: Sent = {**CLIENT, "tools": [{"type": "function", "function": {"name": "find"}}]}


def text(sent: Sent) -> str:
    return "\n".join(message["content"] for message in sent["messages"])


def says(words: str) -> Callable[[Sent], bool]:
    return lambda sent: words in text(sent)


def sends(name: str, value: Any) -> Callable[[Sent], bool]:
    return lambda sent: name in sent and sent[name] == value


@dataclass(frozen=True)
class Row:
    """A gene's values, what it takes beside them, the request, and what shows that they acted."""

    values: tuple[Any, ...]
    effects: tuple[Callable[[Sent], bool], ...]
    stimulus: Sent = field(default_factory=lambda: CLIENT)
    others: dict[str, dict[str, Any]] = field(default_factory=dict)


RULE = {"prompt": {"rubric": ["Be kind."]}}
GENES: dict[tuple[str, str], Row] = {
    ("prompt", "rubric"): Row((["Be kind."], ["Be exact."]), (says("Be kind."), says("Be exact."))),
    ("prompt", "placement"): Row(
        ("before", "after", "replace"),
        (
            says("Be kind.\n\nClient's."),
            says("Client's.\n\nBe kind."),
            lambda sent: "Client's." not in text(sent) and "Be kind." in text(sent),
        ),
        others=RULE,
    ),
    ("prompt", "cot"): Row((True,), (says("step by step"),)),
    ("prompt", "few_shots"): Row(
        ([{"user": "1+1?", "assistant": "2"}],),
        (lambda sent: {"role": "assistant", "content": "2"} in sent["messages"],),
    ),
    ("prompt", "tone"): Row(("neutral", "friendly", "formal"), (says("neutral"), says("friendly"), says("formal"))),
    ("prompt", "verbosity"): Row(
        ("brief", "balanced", "thorough"), (says("Be brief"), says("moderate length"), says("Be thorough"))
    ),
    ("prompt", "format"): Row(
        ("plain", "markdown", "json"), (says("plain text"), says("Markdown"), says("single JSON value"))
    ),
    ("prompt", "tool_instructions"): Row(("Call once.",), (says("Call once."),), stimulus=TOOLS),
    ("memory", "retriever_topk"): Row((1, 2), (says('id="refunds"'), says('id="shipping"'))),
    ("memory", "shots_topk"): Row((1, 2), (says("Seven."), says("Three."))),
    ("memory", "min_score"): Row(
        (0.5, 50.0),
        (
            lambda sent: 'id="refunds"' in text(sent) and 'id="shipping"' not in text(sent),
            lambda sent: "<reference>" not in text(sent),
        ),
        others={"memory": {"retriever_topk": 2}},
    ),
    ("memory", "embedding_weight"): Row(  # words alone score less than the cut-off
        (50.0,), (says('id="refunds"'),), others={"memory": {"retriever_topk": 1, "min_score": 12.0}}
    ),
    ("memory", "snapshot"): Row(
        (snapshot_hash(EARLIER),), (says("took 30 days"),), others={"memory": {"retriever_topk": 1}}
    ),
    ("strategy", "model_key"): Row(
        ("small", "large"), (sends("model", "provider-small"), sends("model", "provider-large"))
    ),
    ("strategy", "temperature"): Row((0.0, 0.5), (sends("temperature", 0.0), sends("temperature", 0.5))),
    ("strategy", "top_p"): Row((0.5,), (sends("top_p", 0.5),)),
    ("strategy", "max_tokens"): Row((512,), (sends("max_tokens", 512),)),
}

# Genes that show not in what one call sends but in how many calls there are, when, to whom, and which answer the client
# gets: each has a row there, with a live gateway.
SERVED = {("strategy", gene) for gene in (*STRATEGIES, *LIMITS)}
# Evolved by operations of its own, see evolver.memory.
ELSEWHERE = {("memory", "snapshot")}


def send(genome: Genome, request: Sent, dialect: Dialect = CHAT) -> bytes:
    """What a genome makes of a request, with nothing but what the genome says."""
    text = dialect.turns(request).text
    near = MEANINGS.near(embed(text)) if genome.memory.embeds else None
    memory = retrieve(genome.memory, LIBRARIES, text, near=near)
    key = genome.strategy.model_key
    renderer = Renderer(genome, MODELS[key] if key is not None else None, (), dialect.vocabulary)
    return renderer.render(request, [entry for entry, _ in memory])


def genome_with(row: Row, layer: str, gene: str, value: Any) -> Genome:
    layers: dict[str, dict[str, Any]] = {name: dict(genes) for name, genes in row.others.items()}
    layers.setdefault(layer, {})[gene] = value
    return Genome.model_validate(layers)


def test_every_gene_has_a_row() -> None:
    genes = {(name, gene) for name in LAYERS for gene in type(getattr(Genome(), name)).model_fields}
    assert set(Genome.model_fields) == set(LAYERS)
    assert genes == set(GENES) | SERVED


def test_every_gene_is_in_the_search_space() -> None:
    genes = {(name, gene) for name in LAYERS for gene in type(getattr(Genome(), name)).model_fields}
    searched = [(gene.layer, gene.name) for gene in SEARCHED]
    assert set(searched) == genes - ELSEWHERE
    assert len(searched) == len(set(searched))


@pytest.mark.parametrize(("layer", "gene"), GENES)
def test_a_gene_shows_in_what_goes_up(layer: str, gene: str) -> None:
    row = GENES[layer, gene]
    sent = [orjson.loads(send(genome_with(row, layer, gene, value), row.stimulus)) for value in row.values]
    without = orjson.loads(send(Genome.model_validate(row.others), row.stimulus))
    for number, effect in enumerate(row.effects):
        # The effect is of this value: no other value of the gene has it before its own turn, nor has its absence,
        # unless the value is the default.
        assert effect(sent[number])
        is_default = genome_with(row, layer, gene, row.values[number]) == Genome.model_validate(row.others)
        assert effect(without) == is_default
        assert not any(effect(earlier) for earlier in sent[:number])
    assert len(row.effects) == len(row.values)


ENDPOINTS: dict[str, Sent] = {
    "chat": TOOLS,
    "completions": {"model": "support", "prompt": "How many days for refunds?"},
    "responses": {
        "model": "support",
        "instructions": "Client's.",
        "input": "How many days for refunds?",
        "tools": TOOLS["tools"],
    },
    "messages": {**TOOLS, "messages": TOOLS["messages"][1:], "system": "Client's."},
}
INERT = {("completions", "placement"), ("completions", "tool_instructions")}  # a text has no system text and no tools


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize(("layer", "gene"), GENES)
def test_a_gene_acts_at_every_endpoint(dialect: Dialect, layer: str, gene: str) -> None:
    row, request = GENES[layer, gene], ENDPOINTS[dialect.name]
    others = row.others
    sent = [
        send(genome_with(Row(row.values, row.effects, others=others), layer, gene, value), request, dialect)
        for value in row.values
    ]
    without = send(Genome.model_validate(others), request, dialect)
    defaults = sum(value == type(getattr(Genome(), layer)).model_fields[gene].default for value in row.values)
    distinct = len({*sent, without}) - 1 + defaults
    assert distinct == (0 + defaults if (dialect.name, gene) in INERT else len(row.values))


def test_values_of_a_choice_are_all_in_the_table() -> None:
    prompt = type(Genome().prompt).model_json_schema()["properties"]
    for gene in ("placement", "tone", "verbosity", "format"):
        choices = prompt[gene].get("enum") or prompt[gene]["anyOf"][0]["enum"]
        assert set(GENES["prompt", gene].values) == set(choices)
