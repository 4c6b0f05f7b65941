"""Answers that agree by meaning: live, and by their words alone where no embedding comes."""

from pathlib import Path

import pytest

from policies.genome import Genome
from tests.gateway.pipeline.experiments import shadow
from tests.gateway.pipeline.strategy.conftest import bench
from tests.gateway.pipeline.strategy.genes import by_turn

VOTE = {"use_consensus": True, "agreement": "embedding", "agreement_similarity": 0.75}
SAID = ("No, that one is on time.", "Yes, that one is delayed.", "That one is late, indeed.")


async def test_voters_agree_who_say_the_same_in_other_words(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, by_turn(*SAID)) as found:
        assert await found.ask() in SAID[1:]
        assert found.outcome["strategy"]["agreement"] == 2 / 3
        assert set(found.embedded) <= set(SAID)
        paid = found.outcome["strategy"]["embedding_usd"]
        assert 2e-6 <= paid <= 3.1e-6  # ten tokens each; the vote may be over before the third is told
        calls = sum(call["cost_usd"] for call in found.outcome["strategy"]["calls"])
        assert found.outcome["cost_usd"] == pytest.approx(calls + paid)
        assert not found.gateway.core.embedder.without


async def test_without_embeddings_words_decide_and_it_is_counted(tmp_path: Path) -> None:
    async with bench(tmp_path, VOTE, by_turn("It is late.", "it is late", "On time.")) as found:
        found.embeds = False
        assert (await found.ask()).casefold().strip(".") == "it is late"
        assert found.outcome["strategy"]["agreement"] == 2 / 3
        without = found.gateway.core.embedder.without
        assert set(without) <= {("agreement", "status"), ("agreement", "resting")}
        assert 2 <= sum(without.values()) <= 3  # the vote may be over before the third is told
        assert sum(found.gateway.core.fall_open.counts.values()) == 0


async def test_a_cascade_compares_by_meaning(tmp_path: Path) -> None:
    genes = {**VOTE, "use_consensus": False, "cascade_model": "small", "cascade_verifier": "agreement"}
    async with bench(tmp_path, {**genes, "cascade_samples": 1}, by_turn(*SAID[1:], "large")) as found:
        assert await found.ask() in SAID[1:]
        assert found.outcome["strategy"]["confidence"] == 1.0
        assert len(found.sent) == 2


async def test_calls_of_tools_and_other_modes_need_no_embedding(tmp_path: Path) -> None:
    async with bench(tmp_path, {**VOTE, "agreement": "exact"}, by_turn("a")) as found:
        await found.ask()
        assert found.embedded == []


async def test_a_shadow_waits_for_its_embedding_and_its_client_does_not(tmp_path: Path) -> None:
    file = tmp_path / "memory.jsonl"
    file.write_text('{"id": "aria", "text": "It was sold at twelve, a fee that covers it."}\n')
    policy = {"shadow": {"sample": 1.0}, "memory_file": str(file), "memory_holdout": 0.0}
    async with bench(tmp_path, {}, by_turn("fine"), policy=policy) as found:
        genes = {"retriever_topk": 1, "min_score": 1.0, "embedding_weight": 8.0}
        candidate = Genome.model_validate({"memory": genes, "strategy": {"model_key": "large"}})
        await shadow(found.gateway, "c1", candidate)
        (arm,) = found.gateway.core.epoch.policies["assistant"].shadows
        assert arm.memory is not None
        meaning = arm.memory.meaning
        assert meaning is not None
        await found.gateway.until(lambda: meaning.shelf.of(meaning.library) is not None)
        status, _, _ = await found.gateway.ask("Which price?")
        assert status == 200
        await found.gateway.until(lambda: bool(found.gateway.frames("signal")))
        assert [b"twelve" in str(sent["messages"]).encode() for sent in found.sent] == [False, True]
        assert found.embedded[1:] == ["Which price?"]
