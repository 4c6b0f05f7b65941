"""Replay serves a genome's strategy with the gateway's own tactics: each gene that acts there acts here."""

from pathlib import Path
from typing import Any

import pytest

from config.settings import Settings
from evolver.examples import Example
from evolver.provider import Provider
from evolver.replay import Replay, Replayed
from policies.genome import Genome
from policies.memory import Entry, Library
from tests.gateway.pipeline.conftest import settings
from tests.gateway.pipeline.scripted import provider
from tests.gateway.pipeline.strategy.conftest import EMBEDDINGS, MODELS, Bench, bench
from tests.gateway.pipeline.strategy.genes import STRATEGIES, WANTS_A, Reply, Result, Row, by_turn, says, verifies

ASKED = {"model": "sandbox-large", "messages": [{"role": "user", "content": "How much?"}]}
ONE = (10 * 2.0 + 5 * 8.0) / 1e6  # dollars for one call of the large model
# What the router decides, whom nobody waits for, and what breaks a tie show in other ways.
TIES = {"quorum", "agreement", "agreement_similarity"}
SHOWN = [gene for gene in STRATEGIES if not gene.startswith("router_") and gene not in TIES]
MEANT = ("It is late, yes.", "Yes, it is late.")
BOTH = {"cascade_model": "small", "repairs": "ask"}


async def replayed(
    strategy: dict[str, Any], reply: Reply, **request: Any
) -> tuple[Replayed, list[dict[str, Any]], Settings]:
    """One request under a strategy, and what went up for it."""
    example = Example(
        id="r", at=0.0, policy="assistant", unit="u", turn=1, arm="a", version="1.0", intent="", model="m",
        stream=True, body={**ASKED, "stream": True, **request}, answer=None,
    )  # fmt: skip
    bench = Bench()
    async with provider(lambda visit: bench.script(visit, reply)) as url:
        config = settings(url, models=MODELS, embeddings=EMBEDDINGS)
        async with Provider(config) as calls:
            genome = Genome.model_validate({"strategy": {"model_key": "large", **strategy}})
            (found,) = await Replay(config, config.policies["assistant"], calls).run(genome, [example])
    return found, bench.sent, config


async def result(strategy: dict[str, Any], row: Row) -> Result:
    found, sent, _ = await replayed(strategy, row.reply, **row.request)
    assert found.completion.answer is not None
    return Result(found.completion.answer.text, sent, {})


@pytest.mark.parametrize("gene", SHOWN)
async def test_a_gene_shows_in_how_a_request_is_replayed(gene: str) -> None:
    row = STRATEGIES[gene]
    assert row.effect(await result({**row.others, gene: row.value}, row))
    assert not row.effect(await result(dict(row.others), row))


@pytest.mark.parametrize(
    ("strategy", "reply", "request_"),
    [
        ({}, by_turn("fine"), {}),
        ({"use_consensus": True}, by_turn("b", "a", "a"), {}),
        ({"use_consensus": True}, by_turn("500", "a", "a"), {}),
        ({"cascade_model": "small"}, says("Incorrect"), {}),
        ({"cascade_model": "small", "cascade_verifier": "agreement"}, by_turn("x", "x", "x", "y"), {}),
        ({"repairs": "ask"}, by_turn("no json", '{"a": 1}'), {"response_format": WANTS_A}),
        ({"use_consensus": True, "agreement": "numeric"}, by_turn("it is 2", "it is 2", "3"), {}),
        (BOTH, by_turn("no json", "none", '{"a": 1}'), {"response_format": WANTS_A}),
    ],
    ids=["plain", "vote", "lost voter", "verdict", "agreement", "repair", "numbers", "all"],
)  # fmt: skip
async def test_the_gateway_and_replay_serve_alike(
    strategy: dict[str, Any], reply: Reply, request_: dict[str, Any], tmp_path: Path
) -> None:
    found, sent, _ = await replayed(strategy, reply, **request_)
    async with bench(tmp_path, strategy, reply) as live:
        text = await live.ask(**request_)
        assert found.completion.answer is not None
        assert found.completion.answer.text == text
        assert len(sent) == len(live.sent)
        assert found.cost_usd == pytest.approx(live.outcome["cost_usd"])
        assert found.failure == live.outcome["failure"]


async def test_a_repair_counts_in_fitness() -> None:
    found, _, _ = await replayed({"repairs": "ask"}, by_turn("no json", '{"a": 1}'), response_format=WANTS_A)
    assert found.failure is None
    assert found.reward is not None
    assert found.reward < 0.81, "a repair costs 0.2"


async def test_every_call_is_charged_and_only_the_longest_way_takes_time() -> None:
    found, sent, _ = await replayed({"use_consensus": True, "quorum": 1.0}, by_turn("slow", "a", "a"))
    assert len(sent) == 3
    assert found.cost_usd == pytest.approx(3 * ONE)
    assert found.latency_ms < 1_000.0
    quick, _, _ = await replayed({"use_consensus": True, "quorum": 0.6}, by_turn("slow", "a", "a"))
    assert quick.latency_ms < found.latency_ms, "nobody waits for the third"


async def test_voters_that_all_fail_tell_nothing_of_the_genome() -> None:
    found, _, _ = await replayed({"use_consensus": True}, by_turn("500"))
    assert not found.measured


async def test_a_verifier_sees_neither_prompt_nor_schema() -> None:
    _, sent, _ = await replayed(
        {"cascade_model": "small", "cascade_samples": 1}, says("Correct"), response_format={"type": "text"}
    )
    (question,) = filter(verifies, sent)
    assert "response_format" not in question
    assert [message["role"] for message in question["messages"]] == ["user"]


async def test_answers_are_compared_by_meaning_in_replay_as_well() -> None:
    """What comes first of three is held against the two that say the same in other words."""
    genes = {"use_consensus": True, "agreement": "embedding", "agreement_similarity": 0.7}
    found, _, _ = await replayed(genes, by_turn("No, it is on time.", *MEANT))
    assert found.completion.answer is not None
    assert found.completion.answer.text in MEANT


async def test_memory_is_searched_by_meaning_in_replay_as_well() -> None:
    library = Library([Entry("kettle", "The Aria kettle is guaranteed for seven years.")])

    async def remind(_: Genome) -> Library:
        return library

    body = {**ASKED, "messages": [{"role": "user", "content": "For how long do warranties run?"}]}
    example = Example(
        id="r", at=0.0, policy="assistant", unit="u", turn=1, arm="a", version="1.0", intent="", model="m",
        stream=False, body=body, answer=None,
    )  # fmt: skip
    found = Bench()
    async with provider(lambda visit: found.script(visit, by_turn("fine"))) as url:
        config = settings(url, models=MODELS, embeddings=EMBEDDINGS)
        async with Provider(config) as calls:
            replay = Replay(config, config.policies["assistant"], calls, remind)
            for weight, embeds in ((0.0, True), (8.0, True), (8.0, False)):
                found.embeds = embeds
                memory = {"retriever_topk": 1, "min_score": 2.0, "embedding_weight": weight}
                genome = Genome.model_validate({"memory": memory, "strategy": {"model_key": "large"}})
                await replay.run(genome, [example])
    assert ["seven years" in str(sent["messages"]) for sent in found.sent] == [False, True, True]  # it is remembered
    assert len(found.embedded) == 2
