"""One request's life over real sockets: answers, streams, frames, header fields."""

import orjson

from gateway.recording.frames import from_payload
from tests.gateway.pipeline.conftest import Running


async def test_a_covered_request_is_answered_labelled_and_recorded(gateway: Running) -> None:
    status, headers, body = await gateway.ask("What is 2 + 2?")
    assert status == 200
    assert body["choices"][0]["message"]["content"]
    assert headers["x-evogate-version"] == "v1.0"
    assert len(headers["x-evogate-genome"]) == 32
    assert float(headers["x-evogate-overhead-ms"]) > 0.0
    assigned, settled = gateway.frames()
    assert assigned["id"] == settled["id"] == headers["x-evogate-request-id"]
    assert assigned["body"]["messages"][0]["content"] == "What is 2 + 2?"
    assert (assigned["why"], assigned["role"], assigned["arms"]) == ("only", "production", [[assigned["arm"], 1.0]])
    assert settled["failure"] is None
    assert settled["answer"]["text"] == body["choices"][0]["message"]["content"]
    assert settled["output_tokens"] == body["usage"]["completion_tokens"]
    assert settled["cost_usd"] > 0.0
    assert 0.0 < settled["reward"] <= 1.0


async def test_frames_are_what_the_readable_way_writes(gateway: Running) -> None:
    await gateway.ask()
    for frame in gateway.frames():
        value = from_payload(frame)
        assert set(frame) - {"t", "v"} == set(value.__slots__)


async def test_the_real_client_streams(gateway: Running) -> None:
    stream = await gateway.openai.chat.completions.create(
        model="sandbox-large", messages=[{"role": "user", "content": "Say something."}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert all(chunk.choices for chunk in chunks), "the usage chunk that nobody asked for is hidden"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    (settled,) = gateway.frames("outcome")
    assert settled["answer"]["text"] == text
    assert settled["output_tokens"] > 0, "usage was asked for in the client's place"
    assert settled["failure"] is None


async def test_usage_that_the_client_asked_for_stays(gateway: Running) -> None:
    stream = await gateway.openai.chat.completions.create(
        model="sandbox-large",
        messages=[{"role": "user", "content": "Say something."}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].usage is not None


async def test_a_policy_name_is_a_model(gateway: Running) -> None:
    status, _, body = await gateway.ask(model="assistant")
    assert status == 200
    assert body["model"] == "sandbox-large"
    async with gateway.http.get(f"{gateway.url}/v1/models") as answer:
        names = [model["id"] for model in (await answer.json())["data"]]
    assert "assistant" in names
    assert "sandbox-large" in names


async def test_recording_off_keeps_bodies_out(gateway: Running) -> None:
    await gateway.ask("a secret", headers={"x-evogate-record": "off"})
    assigned, settled = gateway.frames()
    assert assigned["body"] is None
    assert settled["answer"] is None
    assert b"a secret" not in orjson.dumps(gateway.frames())


async def test_bypass_and_unknown_policy(gateway: Running) -> None:
    status, headers, _ = await gateway.ask(headers={"x-evogate-bypass": "1"})
    assert status == 200
    assert "x-evogate-version" not in headers
    assert "x-evogate-request-id" in headers
    status, headers, body = await gateway.ask(headers={"x-evogate-policy": "nobody"})
    assert (status, headers["x-evogate-error"]) == (400, "unknown_policy")
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert gateway.frames() == []


async def test_health_and_readiness(gateway: Running) -> None:
    for path, expected in (("/health", 200), ("/ready", 200)):
        async with gateway.http.get(gateway.url + path) as answer:
            assert answer.status == expected
    gateway.worker.app.ready = False
    async with gateway.http.get(f"{gateway.url}/ready") as answer:
        assert answer.status == 503
