"""How answers end: cuts, stalls, errors, hang-ups, and the order of frames and bytes."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import openai
import orjson
import pytest

from config.settings import Settings
from gateway.recording.reader import read_frames
from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import DONE, END, STREAM, Script, Visit, chunk, completion, delta, provider, whole

CHAT = {"model": "sandbox-large", "messages": [{"role": "user", "content": "hello"}]}


async def raw(gateway: Running, body: dict[str, Any] = CHAT) -> tuple[int, Any, bytes]:
    async with gateway.http.post(f"{gateway.url}/v1/chat/completions", json=body) as answer:
        return answer.status, answer.headers, await answer.read()


async def outcome_of(script: Script, home: Path, *, stream: bool) -> tuple[int, Any, bytes, dict[str, Any]]:
    async with provider(script) as base, running(settings(base), home) as gateway:
        status, headers, body = await raw(gateway, {**CHAT, "stream": stream})
        (settled,) = gateway.frames("outcome")
        return status, headers, body, settled


async def test_a_stream_that_is_cut_ends_with_an_error_event(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("Once upon")))

    status, _, body, settled = await outcome_of(script, tmp_path, stream=True)
    assert status == 200
    assert body.startswith(delta("Once upon"))
    assert b'data: {"error":' in body
    assert b"[DONE]" not in body
    assert settled["failure"] == "cut_short"
    assert settled["answer"]["text"] == "Once upon"


async def test_an_end_without_terminator_is_a_cut(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("Once upon")) + END)

    _, _, body, settled = await outcome_of(script, tmp_path, stream=True)
    assert b'"code":"truncated"' in body
    assert settled["failure"] == "cut_short"


async def test_an_error_in_a_stream_that_has_not_begun_is_an_error_with_a_status(tmp_path: Path) -> None:
    event = b'data: {"error":{"message":"overloaded","type":"server_error","param":null,"code":null}}\n\n'

    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("Once")) + chunk(event) + chunk(DONE) + END)

    status, headers, body, settled = await outcome_of(script, tmp_path, stream=True)
    assert (status, headers["x-evogate-error"]) == (500, "stream_error")
    assert orjson.loads(body)["error"]["message"] == "overloaded"
    assert (settled["failure"], settled["detail"], settled["status"]) == ("server_error", "overloaded", 500)


async def test_a_stalled_stream_times_out(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("Once")))
        await visit.gone()

    async with provider(script) as base:
        config = settings(base, upstreams={"sandbox": {"base_url": base, "idle_timeout_s": 0.2}})
        async with running(config, tmp_path) as gateway:
            _, _, body = await raw(gateway, {**CHAT, "stream": True})
            assert b'"code":"timeout_idle"' in body
            assert gateway.frames("outcome")[0]["failure"] == "cut_short"


async def test_half_an_answer_is_no_answer(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(whole(completion())[:-20])

    status, headers, body, settled = await outcome_of(script, tmp_path, stream=False)
    assert (status, headers["x-evogate-error"]) == (502, "truncated")
    assert b'"code":"truncated"' in body
    assert (settled["failure"], settled["status"]) == ("cut_short", 502)


async def test_a_providers_own_error_passes_unchanged(tmp_path: Path) -> None:
    theirs = b'{"error": {"message": "slow down", "type": "rate"}}'

    async def script(visit: Visit) -> None:
        await visit.send(whole(theirs, b"429 Too Many Requests", b"retry-after-ms: 7\r\nx-ratelimit-limit: 1\r\n"))

    status, headers, body, settled = await outcome_of(script, tmp_path, stream=False)
    assert (status, body) == (429, theirs)
    assert headers["retry-after-ms"] == "7"
    assert "x-evogate-error" not in headers
    assert (settled["failure"], settled["reward"]) == ("rate_limited", None)


async def test_an_error_inside_a_200_gets_a_status_that_says_so(tmp_path: Path) -> None:
    theirs = b'{"error": {"message": "no capacity"}}'

    async def script(visit: Visit) -> None:
        await visit.send(whole(theirs))

    status, _, body, settled = await outcome_of(script, tmp_path, stream=False)
    assert (status, body) == (502, theirs)
    assert settled["failure"] == "server_error"


async def test_nobody_there(tmp_path: Path, unused_tcp_port: int) -> None:
    async with running(settings(f"http://127.0.0.1:{unused_tcp_port}/v1"), tmp_path) as gateway:
        with pytest.raises(openai.InternalServerError) as caught:
            await gateway.openai.chat.completions.create(**CHAT)  # type: ignore[call-overload]
        assert caught.value.status_code == 502
        assert caught.value.response.headers["x-evogate-error"] == "connect"
        assert "x-evogate-version" in caught.value.response.headers
        assert gateway.frames("outcome")[0]["failure"] == "transport"


async def test_no_upstream_is_said_so(tmp_path: Path) -> None:
    async with running(Settings.model_validate({"gateway": {"port": 0, "admin_port": 0}}), tmp_path) as gateway:
        status, headers, _ = await gateway.ask()
        assert (status, headers["x-evogate-error"]) == (503, "no_upstream")


async def test_a_hang_up_cancels_the_call_and_is_recorded(tmp_path: Path) -> None:
    cancelled = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("Once")))
        await visit.gone()
        cancelled.set()

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        async with aiohttp.ClientSession() as session:
            answer = await session.post(f"{gateway.url}/v1/chat/completions", json={**CHAT, "stream": True})
            await answer.content.readany()
            answer.close()
        await asyncio.wait_for(cancelled.wait(), 5)
        await gateway.until(lambda: bool(gateway.frames("outcome")))
        (settled,) = gateway.frames("outcome")
        assert (settled["failure"], settled["reward"]) == ("client_gone", None)


@pytest.mark.parametrize("stream", [True, False])
async def test_frames_are_on_disk_before_the_bytes_they_guard(tmp_path: Path, stream: bool) -> None:
    def on_disk() -> list[str]:
        return [frame["t"] for _, frame in read_frames(tmp_path / "spool" / "w0")]

    seen: list[list[str]] = []

    async def script(visit: Visit) -> None:
        seen.append(on_disk())
        if stream:
            await visit.send(STREAM + chunk(delta("Hi", "stop")) + chunk(DONE) + END)
        else:
            await visit.send(whole(completion()))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        host, port = gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        payload = b'{"model":"sandbox-x","stream":%b,"messages":[{"role":"user","content":"x"}]}'
        payload %= b"true" if stream else b"false"
        writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(payload))
        writer.write(payload)
        got = b""
        while not (b"[DONE]" in got or b'"completion_tokens"' in got):
            got += await reader.read(65_536)
        assert seen == [["assignment"]]
        assert on_disk() == ["assignment", "outcome"]
        writer.close()


async def test_two_streams_on_one_loop_share_a_write(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(whole(completion()))

    async with provider(script) as base, running(settings(base), tmp_path) as gateway:
        await asyncio.gather(*(gateway.ask(f"question {n}") for n in range(20)))
        assert len(gateway.frames("outcome")) == 20
        assert len({frame["unit"] for frame in gateway.frames("assignment")}) == 20
