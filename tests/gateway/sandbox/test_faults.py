"""Every fault, as a client meets it, streamed and not; schedules by the loop's clock."""

import asyncio
import json
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI

from gateway.sandbox.app import running_sandbox
from gateway.sandbox.faults import KINDS, MESSAGES, Fault, Schedule
from gateway.sandbox.requests import RefusedError
from tests.gateway.sandbox.test_protocol import HELLO, raw_exchange

HOST = b"x-sandbox-fault: "


async def ask(client: AsyncOpenAI, fault: str, *, stream: bool = False, **more: Any) -> Any:
    request: Any = {"model": "sandbox-large", "messages": HELLO, "extra_headers": {"x-sandbox-fault": fault}, **more}
    answer: Any = await client.chat.completions.create(**request, stream=stream)
    if not stream:
        return answer.choices[0]
    return [chunk async for chunk in answer]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", sorted(MESSAGES))
async def test_statuses(client: AsyncOpenAI, status: int, stream: bool) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await ask(client, str(status), stream=stream)
    assert caught.value.status_code == status
    assert ("retry-after" in caught.value.response.headers) == (status in (429, 503))


@pytest.mark.parametrize(
    ("fault", "stream", "error"),
    [
        ("reset", False, openai.APIConnectionError),
        ("reset", True, openai.APIConnectionError),
        ("cut", False, openai.APIConnectionError),
        ("cut", True, openai.APIConnectionError),
        ("wrong_length:7", False, openai.APIConnectionError),
        ("malformed", False, json.JSONDecodeError),
        ("malformed", True, json.JSONDecodeError),
        ("stream_error", True, openai.APIError),
        ("html", False, openai.InternalServerError),
        ("rate_limit:0.25", False, openai.RateLimitError),
        ("no-such-fault", False, openai.BadRequestError),
        ("slow_stream:soon", True, openai.BadRequestError),
    ],
)
async def test_what_breaks_the_client(client: AsyncOpenAI, fault: str, stream: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        await ask(client, fault, stream=stream)


@pytest.mark.parametrize("fault", ["timeout", "hang"])
async def test_hangs_until_the_client_gives_up(client: AsyncOpenAI, fault: str) -> None:
    with pytest.raises(openai.APITimeoutError):
        await ask(client, fault, timeout=0.1)


async def test_a_hang_does_not_outlive_the_provider() -> None:
    async with running_sandbox(1) as url, AsyncOpenAI(base_url=url, api_key="sk", max_retries=0) as client:
        hanging = asyncio.create_task(ask(client, "timeout"))
        while (await client.get("/../sandbox/stats", cast_to=object))["faults"] != {"timeout": 1}:  # type: ignore[index]
            pass
    with pytest.raises(openai.APIConnectionError):
        await hanging


async def test_slow_faults_take_their_time(client: AsyncOpenAI) -> None:
    loop = asyncio.get_running_loop()
    for fault, stream in (("slow_first_byte:0.05", False), ("slow_stream:0.05", False), ("slow_stream:0.05", True)):
        began = loop.time()
        await ask(client, fault, stream=stream)
        assert loop.time() - began >= 0.05


async def test_faults_of_content(client: AsyncOpenAI) -> None:
    assert (await ask(client, "empty")).message.content == ""
    refused = (await ask(client, "refusal")).message
    assert refused.content is None
    assert "can't help" in refused.refusal
    assert (await ask(client, "content_filter")).finish_reason == "content_filter"
    assert (await ask(client, "length")).finish_reason == "length"
    assert "attachment" in (await ask(client, "invalid_output")).message.content
    shaped = await ask(client, "invalid_output", response_format={"type": "json_object"})
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(shaped.message.content)
    refusals = [chunk.choices[0].delta.refusal or "" for chunk in await ask(client, "refusal", stream=True)]
    assert "".join(refusals) == refused.refusal


async def test_usage_can_be_missing(client: AsyncOpenAI) -> None:
    chunks = await ask(client, "no_usage", stream=True, stream_options={"include_usage": True})
    assert all(chunk.usage is None for chunk in chunks)


@pytest.mark.parametrize(("fault", "done"), [("no_done", False), ("stream_error", False), ("malformed", True)])
async def test_terminators(base_url: str, fault: str, done: bool) -> None:
    body = orjson.dumps({"model": "sandbox-small", "messages": HELLO, "stream": True, "n": 2})
    extra = b"/v1/chat/completions HTTP/1.1\r\nx-sandbox-fault: " + fault.encode() + b"\r\nx:"
    answer = await raw_exchange(base_url, extra, body)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"0\r\n\r\n")
    assert (b"data: [DONE]" in answer) == done


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_parses_with_an_argument(kind: str) -> None:
    assert Fault.parse(f"{kind}:1.5").argument == 1.5


def test_schedule_opens_matches_and_strikes() -> None:
    schedule = Schedule.parse([[5, 10, "sandbox-l*", "503", 0.5], {"from_s": 8, "to_s": 9, "model": "*", "kind": "cut",
                                                                  "probability": 1}], began=100.0)  # fmt: skip
    assert schedule.choose("sandbox-large", 104.9, 0.0) is None
    assert schedule.choose("sandbox-large", 105.0, 0.49) == Fault("503")
    assert schedule.choose("sandbox-large", 105.0, 0.5) is None
    assert schedule.choose("sandbox-small", 105.0, 0.0) is None
    assert schedule.choose("sandbox-small", 108.5, 0.0) == Fault("cut")
    assert schedule.choose("sandbox-large", 110.0, 0.0) is None
    with pytest.raises(RefusedError):
        Schedule.parse([[1, 2, "*"]], began=0.0)


async def test_schedule_of_the_app_and_by_request() -> None:
    window = (0.0, 1000.0, "sandbox-large", "500", 1.0)
    async with (
        running_sandbox(1, failure_scale=0.0, faults=[window]) as url,
        AsyncOpenAI(base_url=url, api_key="sk", max_retries=0) as client,
    ):
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(model="sandbox-large", messages=HELLO)
        await client.chat.completions.create(model="sandbox-small", messages=HELLO)
        await client.post("/../sandbox/faults", body=[], cast_to=object)
        await client.chat.completions.create(model="sandbox-large", messages=HELLO)


async def test_a_retry_draws_anew() -> None:
    window = (0.0, 1000.0, "*", "500", 0.5)
    async with (
        running_sandbox(1, failure_scale=0.0, faults=[window]) as url,
        AsyncOpenAI(base_url=url, api_key="sk", max_retries=0) as client,
    ):
        statuses = set()
        for _ in range(40):  # all alike with probability 2 ** -39, were they independent
            try:
                await client.chat.completions.create(model="sandbox-large", messages=HELLO, temperature=0)
                statuses.add(200)
            except openai.InternalServerError:
                statuses.add(500)
    assert statuses == {200, 500}
