"""The memory layer on live requests: what is recalled goes up and is on record; a missing snapshot harms nobody."""

import os
from pathlib import Path
from typing import Any

import orjson

from gateway.pipeline.memories import Memories
from policies.memory import Entry, snapshot_hash
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import Visit, completion, provider, whole

ENTRIES = (
    Entry("kettle", "The Aria kettle has a warranty of seven years.", ("warranty",)),
    Entry("lamp", "The Luma lamp is sold in green.", ("colour",)),
)


def memory_file(folder: Path) -> Path:
    path = folder / "memory.jsonl"
    rows = ({"id": entry.id, "text": entry.text, "topics": entry.topics} for entry in ENTRIES)
    path.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    return path


def remembering(base: str, folder: Path, **memory: Any) -> Any:
    genome = {"prompt": {"rubric": "Answer kindly."}, "memory": memory, "strategy": {"model_key": "large"}}
    return settings(base, {"memory_file": str(memory_file(folder)), "genome": genome})


async def sent_up(gateway: Running, visits: list[Visit]) -> bytes:
    status, _, _ = await gateway.ask("How long is the warranty of the Aria kettle?")
    assert status == 200
    return visits[-1].body


async def test_what_is_recalled_goes_up_and_is_on_record(tmp_path: Path) -> None:
    visits: list[Visit] = []

    async def script(visit: Visit) -> None:
        visits.append(visit)
        await visit.send(whole(completion()))

    snapshot = snapshot_hash(ENTRIES)
    async with provider(script) as base:
        for memory in ({"retriever_topk": 1}, {"retriever_topk": 1, "snapshot": snapshot}):
            home = tmp_path / str(len(memory))
            home.mkdir()
            async with running(remembering(base, tmp_path, **memory), home) as gateway:
                body = await sent_up(gateway, visits)
                assert b"warranty of seven years" in body
                assert b"Luma" not in body
                (frame,) = gateway.frames("assignment")
                assert [name for name, _ in frame["memory"]] == ["kettle"]


async def test_a_snapshot_that_is_gone_is_shown_and_nobody_goes_without_an_answer(tmp_path: Path) -> None:
    visits: list[Visit] = []

    async def script(visit: Visit) -> None:
        visits.append(visit)
        await visit.send(whole(completion()))

    async with (
        provider(script) as base,
        running(remembering(base, tmp_path, retriever_topk=1, snapshot="0" * 32), tmp_path) as gateway,
    ):
        body = await sent_up(gateway, visits)
        assert b"Answer kindly." in body
        assert b"warranty of seven years" not in body
        (problem,) = gateway.core.epoch.policies["assistant"].problems
        assert "roll the memory layer back" in problem


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    memories, path = Memories(), memory_file(tmp_path)
    first = memories(str(path))
    assert memories(str(path)) is first
    path.write_bytes(b'{"id": "x", "text": "Something else"}\n')
    os.utime(path, ns=(1, 1))
    assert memories(str(path)).snapshot != first.snapshot
