"""Embeddings on live requests: asked for where a gene wants them, done without where they do not come, never else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.gateway import Embeddings
from gateway.cli.explain import _print_outcome
from gateway.embeddings import memories
from policies.genome import Genome
from tests.gateway.pipeline.conftest import JSON, Running, running, settings
from tests.gateway.pipeline.experiments import shadow
from tests.gateway.pipeline.scripted import Visit, completion, embeddings, provider, whole
from tests.gateway.pipeline.strategy.test_gone import produce

FACTS = ("The Aria kettle is guaranteed for seven years.", "The Luma lamp is sold in green.")
MEANS = {"retriever_topk": 1, "min_score": 2.0, "embedding_weight": 8.0}
ASKED = "For how long do warranties run?"  # shares no word with the fact that answers it
CLOSES = b"Connection: close\r\n"


class Model:
    """A provider whose embeddings come, fail or hang as a test says."""

    def __init__(self) -> None:
        self.embeds: bytes | None = b"200 OK"  # None: it never answers
        self.malformed = False
        self.embedded: list[str] = []
        self.asked: list[str] = []  # models that embeddings were asked of
        self.sent: list[bytes] = []
        self.hung = asyncio.Event()
        self.gateway: Running

    async def script(self, visit: Visit) -> None:
        if not visit.head.startswith(b"POST /v1/embeddings "):
            self.sent.append(visit.body)
            await visit.send(whole(completion(), extra=CLOSES))
            return
        body = orjson.loads(visit.body)
        texts = body["input"]
        self.asked.append(body["model"])
        self.embedded += texts
        if self.embeds is None:
            self.hung.set()
            await visit.gone()
            return
        said = b"[]" if self.malformed or self.embeds != b"200 OK" else embeddings(texts)
        await visit.send(whole(said, self.embeds, CLOSES))

    async def ask(self, text: str = ASKED) -> bytes:
        """What went up for a question; the client always gets its answer."""
        status, _, _ = await self.gateway.ask(text, headers={"x-evogate-session": str(len(self.sent))})
        assert status == 200
        return self.sent[-1]

    @property
    def without(self) -> dict[tuple[str, str], int]:
        return self.gateway.core.embedder.without


@contextlib.asynccontextmanager
async def serving(
    home: Path,
    memory: JSON,
    rules: JSON | None = None,
    strategy: JSON | None = None,
    *,
    facts: Sequence[str] = FACTS,
    embeds: bytes = b"200 OK",
) -> AsyncIterator[Model]:
    """A gateway that remembers facts; ready once they can be searched by meaning, where that is asked for."""
    file = home / "memory.jsonl"
    rows = [{"id": text.split()[1], "text": text} for text in facts]
    file.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    model = Model()
    model.embeds = embeds
    genome = {"memory": memory, "strategy": {"model_key": "large", **(strategy or {})}}
    async with provider(model.script) as base:
        config = settings(
            base,
            {"memory_file": str(file), "memory_holdout": 0.0, "genome": genome, "shadow": {"sample": 1.0}},
            models={
                "large": {"upstream": "sandbox", "model": "sandbox-large"},
                "embed": {"upstream": "sandbox", "model": "e", "usd_per_mtok": {"input": 1.0}},
            },
            embeddings={"model_key": "embed", "timeout_s": 20.0, **(rules or {})},
        )
        async with running(config, home) as model.gateway:
            found = model.gateway.core.epoch.policies["assistant"].production.memory
            if found is not None and found.meaning is not None and facts and embeds == b"200 OK":
                shelf, library = found_shelf(model), found.meaning.library
                await model.gateway.until(lambda: shelf.of(library) is not None or len(library) > shelf.most)
            yield model


async def test_what_shares_no_word_is_found_by_its_meaning_and_is_on_record(tmp_path: Path) -> None:
    async with serving(tmp_path, MEANS) as model:
        assert sorted(model.embedded) == sorted(FACTS)
        assert b"seven years" in await model.ask()
        (frame,) = model.gateway.frames("assignment")
        ((name, score),) = frame["memory"]
        assert name == "Aria"
        assert 2.0 < score <= 8.0
        assert model.embedded[2:] == [ASKED]
        await model.ask()
        assert model.embedded[2:] == [ASKED]  # it is remembered
        embedder = model.gateway.core.embedder
        assert (embedder.calls, embedder.tokens, embedder.without) == (2, 30, {})
        assert embedder.usd == pytest.approx(30e-6)


async def test_who_asks_for_an_embedding_pays_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(tmp_path, MEANS) as model:
        for _ in range(2):  # the second finds it remembered
            await model.ask()
        paid, free = model.gateway.frames("outcome")
        assert paid["embedding_usd"] == pytest.approx(10e-6)
        assert paid["cost_usd"] == pytest.approx(free["cost_usd"] + paid["embedding_usd"])
        assert "embedding_usd" not in free
        (counters,) = model.gateway.core.metrics.arms.values()
        assert counters.cost_usd == paid["cost_usd"] + free["cost_usd"]
        _print_outcome(paid)
        assert "embedding   $0.000010 of it" in capsys.readouterr().out


@pytest.mark.parametrize("strategy", [{}, {"use_consensus": True, "voters": 2}])
async def test_a_shadow_pays_for_the_embedding_that_it_alone_asked_for(strategy: JSON, tmp_path: Path) -> None:
    async with serving(tmp_path, {}) as model:
        gateway = model.gateway
        genes = {"memory": MEANS, "strategy": {"model_key": "large", **strategy}}
        await shadow(gateway, "c1", Genome.model_validate(genes))
        (arm,) = gateway.core.epoch.policies["assistant"].shadows
        assert arm.memory is not None
        assert arm.memory.meaning is not None
        shelf, library = arm.memory.meaning.shelf, arm.memory.library
        await gateway.until(lambda: shelf.of(library) is not None)
        await model.ask()
        await gateway.until(lambda: bool(gateway.frames("signal")))
        (outcome,), (signal,) = gateway.frames("outcome"), gateway.frames("signal")
        assert "embedding_usd" not in outcome
        assert signal["data"]["embedding_usd"] == pytest.approx(10e-6)
        assert signal["data"]["cost_usd"] >= signal["data"]["embedding_usd"]


async def test_a_request_whose_genome_asks_for_none_never_meets_an_embedding(tmp_path: Path) -> None:
    async with serving(tmp_path, {"retriever_topk": 1, "min_score": 2.0}, strategy={"use_consensus": True}) as model:
        model.embeds = None
        assert b"seven years" not in await model.ask()
        assert model.embedded == []
        assert model.gateway.core.embedder.calls == 0


@pytest.mark.parametrize(
    ("embeds", "malformed", "why"),
    [(b"500 Broken", False, "status"), (b"200 OK", True, "malformed"), (None, False, "timeout")],
)
async def test_an_embedding_that_does_not_come_costs_no_request(
    embeds: bytes | None, malformed: bool, why: str, tmp_path: Path
) -> None:
    async with serving(tmp_path, MEANS, {"timeout_s": 0.1} if embeds is None else None) as model:
        model.embeds, model.malformed = embeds, malformed
        for number in range(5):
            assert b"<reference>" not in await model.ask(f"{ASKED} {number}")  # by words alone nothing is found
        assert b"seven years" in await model.ask("For how long is the kettle guaranteed, Aria?")  # words suffice
        assert model.without == {("memory", why): 3, ("memory", "resting"): 3}
        assert sum(model.gateway.core.fall_open.counts.values()) == 0
        assert len(model.gateway.frames("outcome")) == 6


async def test_a_memory_without_embeddings_of_its_own_is_searched_by_words(tmp_path: Path) -> None:
    async with serving(tmp_path, MEANS, {"most_entries": 1}) as model:
        await model.ask()
        assert model.embedded == []
        assert model.without == {("memory", "too_large"): 1}


async def test_a_memory_whose_embeddings_failed_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memories, "_FIRST_PAUSE_S", 0.01)
    async with serving(tmp_path, MEANS, embeds=b"503 Busy") as model:
        await model.gateway.until(lambda: len(model.embedded) >= 2 * len(FACTS))
        assert b"<reference>" not in await model.ask()
        assert model.without == {("memory", "not_ready"): 1}
        model.embeds = b"200 OK"
        memory = model.gateway.core.epoch.policies["assistant"].production.memory
        assert memory is not None
        await model.gateway.until(lambda: found_shelf(model).of(memory.library) is not None)
        model.gateway.core.embedder._rests_until = 0.0  # its failures let it rest
        assert b"seven years" in await model.ask()


async def test_vectors_that_take_too_long_to_look_at_are_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, MEANS, {"most_entries": 1}) as model:
        monkeypatch.setattr(memories, "MOST_NUMBERS", 2 * 256 - 1)
        worker, memory = model.gateway.worker, model.gateway.core.epoch.policies["assistant"].production.memory
        assert memory is not None
        larger = worker.settings.embeddings.model_copy(update={"most_entries": 10})
        await worker.reload(worker.settings.model_copy(update={"embeddings": larger}))
        await model.gateway.until(lambda: found_shelf(model).why(memory.library) == "too_large")
        asked = len(model.embedded)
        worker.rebuild()
        await model.ask()
        assert len(model.embedded) == asked


def found_shelf(model: Model) -> memories.Shelf:
    memory = model.gateway.core.epoch.policies["assistant"].production.memory
    assert memory is not None
    assert memory.meaning is not None
    return memory.meaning.shelf


async def test_an_empty_memory_brings_up_nothing_and_asks_for_nothing(tmp_path: Path) -> None:
    async with serving(tmp_path, MEANS, facts=()) as model:
        assert b"<reference>" not in await model.ask()
        assert (model.embedded, model.without) == ([], {})


async def test_a_client_that_leaves_before_the_embedding_is_there_was_never_assigned(tmp_path: Path) -> None:
    async with serving(tmp_path, MEANS, {"timeout_s": 30.0}) as model:
        model.embeds = None
        waiting = asyncio.create_task(model.ask())
        await model.hung.wait()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await model.gateway.until(lambda: model.gateway.process.server.connections == 0)
        assert model.sent == []
        assert model.gateway.frames() == []


async def test_a_vanished_model_leaves_words(tmp_path: Path) -> None:
    """A version may outlive the configuration that it was made for."""
    async with serving(tmp_path, {}) as model:
        worker = model.gateway.worker
        genome = {"memory": MEANS, "strategy": {"model_key": "large"}}
        await produce(model.gateway, Genome.model_validate(genome))
        library = worker.core.epoch.policies["assistant"].production.memory.library  # type: ignore[union-attr]
        await model.gateway.until(lambda: found_shelf(model).of(library) is not None)
        assert b"seven years" in await model.ask()
        left = {key: one for key, one in worker.settings.models.items() if key != "embed"}
        await worker.reload(worker.settings.model_copy(update={"models": left, "embeddings": Embeddings()}))
        assert b"<reference>" not in await model.ask()
        assert model.without == {("memory", "off"): 1}


async def test_a_configuration_that_is_refused_changes_nobodys_embeddings(tmp_path: Path) -> None:
    """It is tried out beside the one in force, on upstreams of its own, which are closed again."""
    async with serving(tmp_path, MEANS) as model:
        assert b"seven years" in await model.ask()
        worker, shelf = model.gateway.worker, found_shelf(model)
        before, asked = shelf.embedder.model, len(model.asked)
        tried = worker.settings.model_copy(update={"embeddings": Embeddings(model_key="embed", dimensions=64)})
        await worker.check(tried)
        assert shelf.embedder.model is before
        assert len(model.asked) == asked
        assert b"seven years" in await model.ask("For how long do the warranties run?")
        assert not model.without


async def test_another_model_embeds_everything_anew_while_requests_go_on(tmp_path: Path) -> None:
    """Vectors of two models can't be compared."""
    async with serving(tmp_path, MEANS) as model:
        assert b"seven years" in await model.ask()
        before = model.gateway.worker.settings
        models = {**before.models, "embed": before.models["embed"].model_copy(update={"model": "e2"})}
        await model.gateway.worker.reload(before.model_copy(update={"models": models}))
        memory = model.gateway.core.epoch.policies["assistant"].production.memory
        assert memory is not None
        await model.gateway.until(lambda: found_shelf(model).of(memory.library) is not None)
        assert b"seven years" in await model.ask()
        assert model.asked == ["e", "e", "e2", "e2"]
        assert sorted(model.embedded) == sorted([*FACTS, ASKED] * 2)


async def test_requests_for_one_text_share_a_call_and_too_many_are_not_waited_for(tmp_path: Path) -> None:
    async with serving(tmp_path, MEANS, {"concurrency": 1}) as model:
        embedder: Any = model.gateway.core.embedder
        told: list[tuple[bool, float]] = []
        for text in ("one", "one", "two"):
            embedder.ask(text, "memory", lambda vector, usd: told.append((vector is not None, usd)))
        assert told == [(False, 0.0)]  # the third is told at once
        await model.gateway.until(lambda: len(told) == 3)
        assert told == [(False, 0.0), (True, pytest.approx(1e-5)), (True, 0.0)]  # who asks first pays
        assert model.embedded[2:] == ["one"]
        assert model.without == {("memory", "busy"): 1}
