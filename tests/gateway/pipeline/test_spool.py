"""Recordings as a worker keeps them: levels, upkeep, a start beside it, and the anchors of the hash chain."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.pipeline import spool as spool_module
from gateway.pipeline.spool import read_anchors
from gateway.recording import Keep, Upkeep, sync, verify_chain
from gateway.recording.segments import plain_path
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, completion, delta, provider, whole

SMALL = {"segment_bytes": 4096, "compress": False}


class HeldDisk:
    """`fdatasync` that waits for leave."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.leave = threading.Event()

    def __call__(self, descriptor: int) -> None:
        self.begun.set()
        assert self.leave.wait(30)
        os.fsync(descriptor)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldDisk]:
    held = HeldDisk()
    monkeypatch.setattr(sync, "_fdatasync", held)
    yield held
    held.leave.set()


async def _health(gateway: Running) -> None:
    async with gateway.http.get(f"{gateway.url}/health") as answer:
        assert answer.status == 200


# -- levels ----------------------------------------------------------------------------------------------------------


async def test_power_safe_answers_end_when_the_disk_has_them(tmp_path: Path, disk: HeldDisk) -> None:
    asked = asyncio.Event()

    async def script(visit: Visit) -> None:
        asked.set()
        await visit.send(whole(completion()))

    config = {"level": "power_safe"}
    async with provider(script) as base, running(settings(base, recording=config), tmp_path) as gateway:
        answer = asyncio.create_task(gateway.ask())
        await asyncio.wait_for(asked.wait(), 10)
        assert await asyncio.to_thread(disk.begun.wait, 10)
        assert [frame["t"] for frame in gateway.frames()] == ["assignment", "outcome"]
        await _health(gateway)
        assert not answer.done(), "the record is written, but the disk does not have it yet"
        disk.leave.set()
        assert (await answer)[0] == 200


async def test_the_call_up_does_not_wait_for_the_disk(tmp_path: Path, disk: HeldDisk) -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def script(visit: Visit) -> None:
        asked.set()
        await go.wait()
        await visit.send(whole(completion()))

    config = {"level": "power_safe"}
    async with provider(script) as base, running(settings(base, recording=config), tmp_path) as gateway:
        answer = asyncio.create_task(gateway.ask())
        await asyncio.wait_for(asked.wait(), 10)
        assert not disk.begun.is_set()
        disk.leave.set()
        go.set()
        assert (await answer)[0] == 200


async def test_a_power_safe_stream_holds_its_terminator_only(tmp_path: Path, disk: HeldDisk) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("fine", "stop")) + chunk(DONE) + END)

    config = {"level": "power_safe"}
    async with provider(script) as base, running(settings(base, recording=config), tmp_path) as gateway:
        body = {"model": "sandbox-large", "messages": [{"role": "user", "content": "hi"}], "stream": True}
        async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
            assert b"fine" in await answer.content.readline()
            rest = asyncio.create_task(answer.content.read())
            assert await asyncio.to_thread(disk.begun.wait, 10)
            await _health(gateway)
            assert not rest.done()
            disk.leave.set()
            assert (await rest).endswith(DONE)


async def test_kill_safe_never_waits_for_the_disk(sandbox: str, tmp_path: Path, disk: HeldDisk) -> None:
    async with running(settings(sandbox), tmp_path) as gateway:
        assert (await asyncio.wait_for(gateway.ask(), 10))[0] == 200
        assert not disk.begun.is_set()


async def test_a_level_changed_by_a_reload_is_not_pretended(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox), tmp_path) as gateway:
        await gateway.worker.reload(settings(sandbox, recording={"level": "power_safe"}))
        assert (await _status(gateway))["level"] == "kill_safe"


# -- upkeep ----------------------------------------------------------------------------------------------------------


async def _status(gateway: Running) -> dict[str, Any]:
    async with gateway.http.get(f"{gateway.process.admin_url}/admin/status") as answer:
        shown: dict[str, Any] = (await answer.json())["spool"]
    return shown


async def _fill(gateway: Running, segments: int) -> None:
    while gateway.worker.spool.writer.position.segment <= segments:
        await gateway.ask()


async def test_upkeep_compresses_and_a_reload_changes_what_is_kept(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Upkeep.run, "__defaults__", (3600.0,))  # one pass at the start; the others are the test's
    folder = tmp_path / "spool" / "w0"
    async with running(settings(sandbox, recording=SMALL), tmp_path) as gateway:
        await _fill(gateway, 4)
        assert list(folder.glob("*.zst")) == []
    async with running(settings(sandbox, recording=SMALL | {"compress": True}), tmp_path) as gateway:
        await gateway.until(lambda: len(list(folder.glob("*.zst"))) >= 4)
        assert len(gateway.frames("outcome")) > 4
        small = SMALL | {"compress": True, "retain_bytes": 4096, "retain_s": 60.0}
        await gateway.worker.reload(settings(sandbox, recording=small))
        assert gateway.worker.spool.upkeep.keep == Keep(compress=True, bytes=4096, seconds=60.0)
        await _fill(gateway, 6)
        await asyncio.to_thread(gateway.worker.spool.upkeep.guarded_pass)
        (folder / "retired.jsonl").rename(tmp_path / "elsewhere")
        (folder / "retired.jsonl").mkdir()
        await asyncio.to_thread(gateway.worker.spool.upkeep.guarded_pass)
        shown = await _status(gateway)
        assert shown["retired_segments"] >= 4
        assert (shown["upkeep_faults"], shown["lost_frames"]) == (1, 0)
        async with gateway.http.get(f"{gateway.process.admin_url}/metrics") as answer:
            text = await answer.text()
        assert f"evogate_spool_retired_segments_total {float(shown['retired_segments'])}" in text
        assert "evogate_spool_upkeep_faults_total 1.0" in text
        assert "evogate_spool_lost_frames_total 0.0" in text
        (folder / "retired.jsonl").rmdir()
        (tmp_path / "elsewhere").rename(folder / "retired.jsonl")
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("upkeep")]
    assert verify_chain(folder).flaws == []


async def test_a_segment_compressed_during_the_replay_is_replayed(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "spool" / "w0"
    async with running(settings(sandbox, recording=SMALL), tmp_path) as gateway:
        await _fill(gateway, 3)
        asked = len(gateway.frames("assignment"))
    real = Path.stat

    def stat(self: Path, **options: Any) -> os.stat_result:
        if self == plain_path(folder, 1):
            monkeypatch.setattr(Path, "stat", real)
            Upkeep(folder, Keep()).tend()
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    async with running(settings(sandbox, recording=SMALL), tmp_path) as gateway:
        assert Path.stat is real, "the segment was compressed while the gateway looked at it"
        assert len(gateway.core.recent) == asked


# -- anchors ---------------------------------------------------------------------------------------------------------


async def test_the_chain_is_anchored_as_it_grows_and_when_it_ends(sandbox: str, tmp_path: Path) -> None:
    config = settings(sandbox, gateway={"port": 0, "admin_port": 0, "poll_s": 3600.0})
    folder = tmp_path / "spool" / "w0"
    async with running(config, tmp_path) as gateway:
        registry = gateway.worker._registry
        await gateway.worker.sync()
        assert await read_anchors(registry, "w0") == [], "nothing is recorded yet"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spool_module, "ANCHOR_EVERY_S", 3600.0)
            gateway.worker.spool._anchor_at = 0.0
            await gateway.ask()
            await gateway.worker.sync()
            (first,) = await read_anchors(registry, "w0")
            assert first == gateway.worker.spool.writer.head
            await gateway.ask()
            before = await registry.changed()
            await gateway.worker.sync()
            assert await registry.changed() == before, "too early for another: pollers are left alone"
    async with running(config, tmp_path) as gateway:
        registry = gateway.worker._registry
        (ended,) = await read_anchors(registry, "w0")
        assert ended.boot == first.boot
        assert ended.offset > first.offset
        before = await registry.changed()
        await gateway.worker.sync()
        assert await registry.changed() == before, "nothing was recorded since"
        await gateway.ask()
    anchors = [ended]
    assert verify_chain(folder, anchors).anchors == 1
    async with running(config, tmp_path) as gateway:
        assert [head.boot == first.boot for head in await read_anchors(gateway.worker._registry, "w0")] == [True, False]
