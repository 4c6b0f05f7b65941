"""Bodies of a share of the conversations: all of a conversation's, or none, in every kind of frame."""

from pathlib import Path

from gateway.recording import keeps_body
from tests.gateway.pipeline.conftest import JSON, Running, running, settings
from tests.gateway.pipeline.experiments import genome, shadow

HALF = {"body_sample": 0.5}


async def _talk(gateway: Running, conversations: int) -> None:
    for turn in ("first", "second"):
        for n in range(conversations):
            await gateway.ask(f"{turn} word of {n}", headers={"x-evogate-session": f"s{n}"})


async def test_a_conversation_is_kept_whole_or_left_out_whole(sandbox: str, tmp_path: Path) -> None:
    mirrored = {"shadow": {"sample": 1.0}}
    async with running(settings(sandbox, mirrored, recording=HALF), tmp_path) as gateway:
        await shadow(gateway, "c1", genome("Answer briefly."))
        await _talk(gateway, 20)
        await gateway.until(lambda: len(gateway.frames("signal")) >= 40)
        unit = {frame["id"]: frame["unit"] for frame in gateway.frames("assignment")}
        kept = {name for name in unit.values() if keeps_body(name, 0.5)}
        assert 0 < len(kept) < 20
        for frame in gateway.frames():
            body = _body(frame)
            assert (body is not None) == (unit[frame["id"]] in kept), frame["t"]
        assert len(gateway.frames("outcome")) == 40, "outcomes are always recorded"


def _body(frame: JSON) -> object:
    if frame["t"] == "assignment":
        return frame["body"]
    return frame["answer"] if frame["t"] == "outcome" else frame["data"]["answer"]


async def test_a_reload_changes_the_share(gateway: Running, sandbox: str) -> None:
    await gateway.ask("one")
    await gateway.worker.reload(settings(sandbox, recording={"body_sample": 0.0}))
    await gateway.ask("two")
    assert [frame["body"] is not None for frame in gateway.frames("assignment")] == [True, False]
    assert [frame["answer"] is not None for frame in gateway.frames("outcome")] == [True, False]
