"""Arms: sticky conversations, exact odds on record, conversations met in the middle, and what they say in passing."""

import asyncio
from collections.abc import Iterable
from math import isclose
from pathlib import Path

import pytest

from gateway.pipeline.snapshot import Snapshot, read
from policies.registry.operations import start_canary
from policies.registry.port import Registry
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.experiments import add, canary, genome


async def test_odds_are_on_record_and_conversations_stick(gateway: Running) -> None:
    candidate, experiment = await canary(gateway, "c1", genome("Answer briefly."))
    view = gateway.core.epoch.policies["assistant"]
    assert [arm.role for arm in view.drawn] == ["production", "challenger"]
    for n in range(60):
        await gateway.ask("first", headers={"x-evogate-session": f"s{n}"})
    for n in range(60):
        await gateway.ask("second", headers={"x-evogate-session": f"s{n}"})
    frames = gateway.frames("assignment")
    first, second = frames[:60], frames[60:]
    for before, after in zip(first, second, strict=True):
        assert before["unit"] == after["unit"]
        assert before["arm"] == after["arm"], "a conversation keeps its arm"
        assert (before["why"], after["why"]) == ("draw", "pin")
        assert (before["first"], after["first"]) == (True, False)
        assert before["experiment"] == after["experiment"] == experiment.id
        assert isclose(sum(p for _, p in before["arms"]), 1.0)
        assert [arm for arm, _ in before["arms"]] == [arm.hash for arm in view.drawn]
        assert after["arms"] == [[after["arm"], 1.0]]
    challenged = [frame for frame in first if frame["role"] == "challenger"]
    assert all(frame["candidate"] == candidate.id for frame in challenged)
    # 60 draws at a share of at most 0.2: outside 1..28 with probability below 1e-5.
    assert 1 <= len(challenged) <= 28


async def test_a_conversation_met_in_the_middle_gets_production(gateway: Running) -> None:
    await canary(gateway, "c1", genome("Answer briefly."))
    talk = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "and now?"},
    ]
    for n in range(12):
        await gateway.ask(messages=talk, user=f"user {n}")
    frames = gateway.frames("assignment")
    assert {(f["why"], f["role"], f["experiment"], f["first"]) for f in frames} == {
        ("middle", "production", None, False)
    }


async def test_a_promotion_keeps_pins(gateway: Running) -> None:
    await gateway.ask("one", headers={"x-evogate-session": "s"})
    registry = gateway.worker._registry
    version = await registry.add_version(
        "assistant",
        genome("Answer at length."),
        (await registry.versions("assistant"))[0].lineage,
        who="t",
        why="t",
        now=1.0,
    )
    pointer = await registry.production("assistant")
    assert pointer is not None
    await registry.move("assistant", version.label, expected_revision=pointer.revision, who="t", why="t", now=2.0)
    await gateway.worker.sync()
    await gateway.ask("two", headers={"x-evogate-session": "s"})
    await gateway.ask("two", headers={"x-evogate-session": "new"})
    assert [frame["version"] for frame in gateway.frames("assignment")] == ["v1.0", "v1.0", "v1.1"]


async def test_retries_and_corrections_are_noticed(gateway: Running) -> None:
    session = {"x-evogate-session": "s"}
    asked = [{"role": "user", "content": "Which day is it?"}]
    await gateway.ask(messages=asked, headers=session)
    await gateway.ask(messages=asked, headers=session)
    talk = [*asked, {"role": "assistant", "content": "Monday"}, {"role": "user", "content": "No, I meant the date."}]
    await gateway.ask(messages=talk, headers=session)
    first, second, third = (frame["id"] for frame in gateway.frames("assignment"))
    signals = [(s["kind"], s["id"], s["data"]["by"]) for s in gateway.frames("signal")]
    assert signals == [("retry", first, second), ("correction", second, third)]


async def test_observe_changes_nothing(sandbox: str, tmp_path: Path) -> None:
    async with running(settings(sandbox, {"mode": "observe"}), tmp_path) as gateway:
        await canary(gateway, "c1", genome("Answer briefly."))
        assert len(gateway.core.epoch.policies["assistant"].drawn) == 1


async def test_a_freeze_keeps_the_shares(gateway: Running) -> None:
    await canary(gateway, "c1", genome("Answer briefly."))
    before = gateway.core.epoch.policies["assistant"].shares
    registry = gateway.worker._registry
    await registry.set_state("freeze", {"frozen": True, "who": "test", "why": "", "at": 0.0})
    await gateway.worker.sync()  # in force from here on: until then, the worker's own round may still learn
    for arm, reward in [(before.arms[0], 1.0), (before.arms[1], 0.0)] * 100:
        gateway.core.posteriors.add("assistant", arm, reward)
    await gateway.worker.sync()
    assert gateway.core.epoch.policies["assistant"].shares == before
    await registry.set_state("freeze", {"frozen": False})
    await gateway.worker.sync()
    assert gateway.core.epoch.policies["assistant"].shares != before


async def test_an_older_reading_of_the_registry_does_not_replace_a_newer_one(
    sandbox: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go = asyncio.Event(), asyncio.Event()

    async def slow(registry: Registry, names: Iterable[str]) -> Snapshot:
        found = await read(registry, names)
        if not reading.is_set():
            reading.set()
            await go.wait()
        return found

    by_hand = {"port": 0, "admin_port": 0, "poll_s": 3600.0}
    async with running(settings(sandbox, gateway=by_hand), tmp_path) as gateway:
        monkeypatch.setattr("gateway.pipeline.worker.read", slow)
        older = asyncio.create_task(gateway.worker.sync())
        await reading.wait()
        freeze = {"frozen": True, "who": "test", "why": "", "at": 0.0}
        await gateway.worker._registry.set_state("freeze", freeze)
        newer = asyncio.create_task(gateway.worker.sync())
        await asyncio.wait([newer], timeout=0.2)  # where it does not wait its turn, it is over by then
        go.set()
        await asyncio.gather(older, newer)
        assert gateway.core.epoch.frozen


async def test_an_operators_canary_does_not_take_the_name_of_the_counted_one(gateway: Running) -> None:
    registry = gateway.worker._registry
    override = await add(gateway, "c0", genome("Answer in verse."))
    await start_canary(registry, override, who="operator", reason="try", counted=False, now=gateway.core.now())
    _, counted = await canary(gateway, "c1", genome("Answer briefly."))
    view = gateway.core.epoch.policies["assistant"]
    assert len(view.drawn) == 3
    assert view.experiments[0] == counted.id
    assert len(view.drawing.entrances[0]) == 2, "production is compared with both"
