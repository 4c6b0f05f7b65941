"""What OpenAI clients rely on: shapes, streams, tools, JSON mode, usage, errors, limits."""

import asyncio
import base64
import socket
import struct
from itertools import islice
from random import Random
from typing import Any

import openai
import orjson
import pytest
from openai import AsyncOpenAI, OpenAI

from gateway.sandbox.app import running_sandbox
from gateway.sandbox.models import ALL_MODELS
from gateway.sandbox.tasks import draw_task, tasks
from gateway.sandbox.worlds import World

HELLO: Any = [{"role": "user", "content": "hello there"}]
CAREFUL = "When you call a tool, fill in every argument. Use the tools immediately, without asking for confirmation."


async def test_answer_has_text_usage_and_identity(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="sandbox-large", messages=HELLO)
    answer = raw.parse()
    assert answer.model == "sandbox-large"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["x-sandbox-world"] == World(1).world_hash


async def test_stream_says_what_the_whole_answer_says(client: AsyncOpenAI, world: World) -> None:
    for task in islice(tasks(Random(3), world), 40):
        request: Any = task.body("sandbox-medium", temperature=0)
        whole = await client.chat.completions.create(**request)
        stream = await client.chat.completions.create(**request, stream=True, stream_options={"include_usage": True})
        text, arguments, names, reasons, usage = "", "", [], [], None
        async for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                text += choice.delta.content or ""
                reasons += [choice.finish_reason] if choice.finish_reason else []
                for call in choice.delta.tool_calls or []:
                    assert call.function is not None
                    names += [call.function.name] if call.function.name else []
                    arguments += call.function.arguments or ""
        message = whole.choices[0].message
        calls: Any = message.tool_calls or []
        assert text == (message.content or "")
        assert names == [call.function.name for call in calls]
        assert arguments == "".join(call.function.arguments for call in calls)
        assert reasons == [whole.choices[0].finish_reason]
        assert usage is not None
        assert whole.usage is not None
        assert usage.completion_tokens == whole.usage.completion_tokens


def test_synchronous_client_over_a_slow_stream() -> None:
    async def main() -> tuple[list[str], float]:
        async with running_sandbox(1, delay_scale=0.5, failure_scale=0.0) as url:
            loop = asyncio.get_running_loop()
            began = loop.time()
            parts = await asyncio.to_thread(read, url)
            return parts, loop.time() - began

    def read(url: str) -> list[str]:
        with OpenAI(base_url=url, api_key="sk", max_retries=0) as client:
            stream = client.chat.completions.create(model="sandbox-large", messages=HELLO, stream=True)
            return [chunk.choices[0].delta.content or "" for chunk in stream]

    parts, took_s = asyncio.run(main())
    assert "".join(parts).startswith("This is the sandbox")
    assert len(parts) > 5
    assert took_s > 0.017  # half of the large model's 34 ms to the first token


async def test_usage_is_absent_from_streams_that_do_not_ask(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(model="sandbox-small", messages=HELLO, stream=True)
    assert all([chunk.usage is None and chunk.choices async for chunk in stream])


async def test_tool_call_round_trip(client: AsyncOpenAI, world: World) -> None:
    task = draw_task(Random(2), world, "tools", system=CAREFUL)
    request: Any = task.body("sandbox-large", temperature=0)
    message = (await client.chat.completions.create(**request)).choices[0].message
    assert message.content is None
    assert message.tool_calls is not None
    assert task.check(message.content, [call.to_dict() for call in message.tool_calls]) == 1.0
    request["messages"] += [
        message.to_dict(),
        {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "room 12"},
    ]
    closing = (await client.chat.completions.create(**request)).choices[0].message
    assert closing.tool_calls is None
    assert "room 12" in (closing.content or "")


async def test_tool_choice_is_obeyed_for_unknown_tools(client: AsyncOpenAI) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": schema}}]
    forced = await client.chat.completions.create(
        model="sandbox-small", messages=HELLO, tools=tools, tool_choice="required"
    )
    (call,) = forced.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert orjson.loads(call.function.arguments).keys() == {"city", "days"}
    none = await client.chat.completions.create(model="sandbox-small", messages=HELLO, tools=tools, tool_choice="none")
    assert none.choices[0].message.tool_calls is None


async def test_json_mode_and_foreign_schemas(client: AsyncOpenAI, world: World) -> None:
    schema = {
        "type": "object",
        "properties": {"mood": {"enum": ["good", "bad"]}, "notes": {"type": "array", "items": {"type": "string"}}},
        "required": ["mood", "notes"],
    }
    shaped: Any = {"type": "json_schema", "json_schema": {"name": "s", "schema": schema}}
    answer = await client.chat.completions.create(model="sandbox-large", messages=HELLO, response_format=shaped)
    assert orjson.loads(answer.choices[0].message.content or "") == {"mood": "good", "notes": []}
    for task in islice(tasks(Random(9), world), 20):
        if not task.request_extras:
            request: Any = task.body("sandbox-small", response_format={"type": "json_object"})
            answer = await client.chat.completions.create(**request)
            assert isinstance(orjson.loads(answer.choices[0].message.content or ""), dict)


async def test_max_tokens_cuts_and_says_so(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="sandbox-large", messages=HELLO, max_tokens=4)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4


async def test_stop_sequences_and_several_choices(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="sandbox-large", messages=HELLO, stop=["sandbox"], n=3)
    assert [choice.message.content for choice in answer.choices] == ["This is the "] * 3
    assert [choice.index for choice in answer.choices] == [0, 1, 2]


async def test_repeated_prefix_is_cached(client: AsyncOpenAI) -> None:
    long: Any = [{"role": "system", "content": "Policy paragraph. " * 60}]
    counts = []
    for question in ("one?", "two?"):
        messages = [*long, {"role": "user", "content": question}]
        usage = (await client.chat.completions.create(model="sandbox-large", messages=messages)).usage
        assert usage is not None
        assert usage.prompt_tokens_details is not None
        counts.append(usage.prompt_tokens_details.cached_tokens)
    assert counts[0] == 0
    assert counts[1] == 256  # whole blocks of 64 tokens of the 270 that are equal


async def test_embeddings_by_both_encodings(client: AsyncOpenAI) -> None:
    texts = ["the parcel is late", "my parcel is late", "quantum chromodynamics"]
    plain = await client.embeddings.create(model="text-embedding-sandbox", input=texts, encoding_format="float")
    late, mine, other = (item.embedding for item in plain.data)
    assert sum(x * x for x in late) == pytest.approx(1.0, abs=1e-5)
    assert dot(late, mine) > dot(late, other) + 0.3
    packed = await client.embeddings.create(model="text-embedding-sandbox", input=texts[0], encoding_format="base64")
    raw: Any = packed.data[0].embedding
    assert struct.unpack("<256f", base64.b64decode(raw)) == pytest.approx(late, abs=1e-6)


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


async def test_models_are_listed_and_retrieved(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == list(ALL_MODELS)
    assert (await client.models.retrieve("sandbox-judge")).id == "sandbox-judge"
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("gpt-99")


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"model": "gpt-99"}, 404, "model"),
        ({"model": None}, 400, None),
        ({"model": "text-embedding-sandbox"}, 400, "model"),
        ({"messages": []}, 400, "messages"),
        ({"messages": "hello"}, 400, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, 400, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "messages[0].role"),
        ({"temperature": "warm"}, 400, "temperature"),
        ({"temperature": 2.5}, 400, "temperature"),
        ({"max_tokens": 0}, 400, "max_tokens"),
        ({"max_tokens": True}, 400, "max_tokens"),
        ({"stream": "yes"}, 400, "stream"),
        ({"stream_options": {"include_usage": True}}, 400, "stream_options"),
        ({"tools": [{"type": "function"}]}, 400, "tools[0]"),
        ({"response_format": {"type": "yaml"}}, 400, "response_format.type"),
    ],
)
async def test_bad_requests_get_the_envelope(
    client: AsyncOpenAI, change: dict[str, Any], status: int, param: str | None
) -> None:
    body = {"model": "sandbox-large", "messages": HELLO, **change}
    with pytest.raises(openai.APIStatusError) as caught:
        await client.post("/chat/completions", body=body, cast_to=object)
    error = caught.value.response.json()["error"]
    assert caught.value.status_code == status
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["param"] == param


async def test_broken_json_unknown_paths_and_bad_keys(base_url: str) -> None:
    async with AsyncOpenAI(base_url=base_url, api_key="sk-invalid", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
    answer = await raw_exchange(base_url, b"/v1/chat/completions", b"{not json")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b'"invalid_request_error"' in answer
    assert (await raw_exchange(base_url, b"/v1/nowhere", b"{}")).startswith(b"HTTP/1.1 404")


async def test_small_answers_leave_in_one_write(base_url: str) -> None:
    host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    body = orjson.dumps({"model": "sandbox-large", "messages": HELLO})
    with socket.create_connection((host, int(port))) as raw:
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(raw, request(b"/v1/chat/completions", body))
        first = await loop.sock_recv(raw, 65_536)
    head, _, rest = first.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: "))
    assert len(rest) == int(length.split()[1])


async def test_rate_limit_says_when_to_come_back() -> None:
    async with (
        running_sandbox(1, requests_per_s=2.0) as url,
        AsyncOpenAI(base_url=url, api_key="sk-a", max_retries=0) as eager,
        AsyncOpenAI(base_url=url, api_key="sk-b", max_retries=0) as other,
    ):
        for _ in range(2):
            await eager.chat.completions.create(model="sandbox-large", messages=HELLO)
        with pytest.raises(openai.RateLimitError) as caught:
            await eager.chat.completions.create(model="sandbox-large", messages=HELLO)
        assert 0.0 < float(caught.value.response.headers["retry-after"]) <= 0.5
        assert caught.value.response.headers["x-ratelimit-remaining-requests"] == "0"
        await other.chat.completions.create(model="sandbox-large", messages=HELLO)


async def raw_exchange(base_url: str, path: bytes, body: bytes) -> bytes:
    host, _, port = base_url.removeprefix("http://").removesuffix("/v1").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request(path, body, b"connection: close\r\n"))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def request(path: bytes, body: bytes, extra: bytes = b"") -> bytes:
    head = b"POST %s HTTP/1.1\r\nhost: sandbox\r\n%scontent-length: %d\r\n\r\n" % (path, extra, len(body))
    return head + body
