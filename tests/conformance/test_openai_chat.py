"""The official `openai` client on an endpoint that a genome is applied to."""

import asyncio
from typing import Any

import openai
import pytest
from pydantic import BaseModel

from tests.conformance.conftest import RUBRIC
from tests.conformance.provider import Provider
from tests.conformance.provider.framing import ARGUMENTS, REPLY, TRIP
from tests.gateway.pipeline.conftest import Running

ASK: Any = [{"role": "user", "content": "When does it leave?"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "book",
            "description": "Books a trip.",
            "strict": True,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city", "days"],
                "additionalProperties": False,
            },
        },
    }
]


class Trip(BaseModel):
    city: str
    days: int


async def test_an_answer_and_its_header_fields(gateway: Running) -> None:
    raw = await gateway.openai.chat.completions.with_raw_response.create(model="clerk-1", messages=ASK)
    assert raw.parse().choices[0].message.content == REPLY
    assert raw.request_id == "req_fixture"
    assert raw.headers["x-ratelimit-remaining-requests"] == "41"
    assert raw.headers["x-vendor-extra"] == "kept"
    assert raw.headers["x-evogate-version"] == "v1.0"
    assert raw.headers["x-evogate-request-id"]


async def test_a_stream(gateway: Running, provider: Provider) -> None:
    stream = await gateway.openai.chat.completions.create(model="clerk-1", messages=ASK, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == REPLY
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert gateway.frames("outcome")[0]["output_tokens"] == 6  # asked for in the client's place, and hidden again


async def test_a_stream_with_usage(gateway: Running) -> None:
    stream = await gateway.openai.chat.completions.create(
        model="clerk-1", messages=ASK, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in stream][-1]
    assert last.usage is not None
    assert last.usage.total_tokens == 15


async def test_the_stream_helper(gateway: Running) -> None:
    async with gateway.openai.chat.completions.stream(model="clerk-1", messages=ASK, tools=TOOLS) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_completion()
    assert "tool_calls.function.arguments.done" in kinds
    (call,) = final.choices[0].message.tool_calls or []
    assert call.function.parsed_arguments == TRIP


async def test_tools_over_several_turns(gateway: Running, provider: Provider) -> None:
    messages = list(ASK)
    first = await gateway.openai.chat.completions.create(model="clerk-1", messages=messages, tools=TOOLS)
    (call,) = first.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("book", ARGUMENTS)
    messages += [first.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": "seat 12"}]
    second = await gateway.openai.chat.completions.create(model="clerk-1", messages=messages, tools=TOOLS)
    assert second.choices[0].message.content == "Noted: seat 12"
    assert provider.last.json["tools"] == TOOLS
    asked = provider.last.json["messages"]
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool"]
    assert asked[0]["content"] == RUBRIC
    assert len({frame["unit"] for frame in gateway.frames("assignment")}) == 1  # one conversation, one arm


async def test_a_streamed_tool_call(gateway: Running) -> None:
    stream = await gateway.openai.chat.completions.create(model="clerk-1", messages=ASK, tools=TOOLS, stream=True)
    calls = [call async for chunk in stream for call in chunk.choices[0].delta.tool_calls or []]
    assert "".join(call.function.arguments or "" for call in calls if call.function) == ARGUMENTS
    assert [call.id for call in calls if call.id] == ["call_1"]


async def test_structured_output(gateway: Running, provider: Provider) -> None:
    parsed = await gateway.openai.chat.completions.parse(model="clerk-1", messages=ASK, response_format=Trip)
    assert parsed.choices[0].message.parsed == Trip(**TRIP)
    assert provider.last.json["response_format"]["json_schema"]["strict"] is True
    beta = await gateway.openai.beta.chat.completions.parse(model="clerk-1", messages=ASK, response_format=Trip)
    assert beta.choices[0].message.parsed == Trip(**TRIP)


async def test_images_and_unknown_fields_go_up_as_they_are(gateway: Running, provider: Provider) -> None:
    seen: Any = {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is this? \u00e9\u00df\u4e2d\U0001f6a2"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
        ],
    }
    future = {"nested": [1, 2.50, None, {"deep": "yes"}], "big": 12345678901234567890}
    await gateway.openai.chat.completions.create(
        model="clerk-1", messages=[seen], seed=7, logit_bias={"50256": -100}, extra_body={"x_future": future}
    )
    up = provider.last.json
    assert up["messages"] == [{"role": "system", "content": RUBRIC}, seen]
    assert (up["seed"], up["logit_bias"], up["x_future"]) == (7, {"50256": -100}, future)
    assert up["temperature"] == 0.25


async def test_the_providers_error_is_raised_as_its_own(gateway: Running, provider: Provider) -> None:
    """`missing` is no policy's: relayed; and behind a policy whose model is gone, the same."""
    with pytest.raises(openai.NotFoundError) as caught:
        await gateway.openai.chat.completions.create(model="missing", messages=ASK)
    error = caught.value
    assert (error.code, error.param, error.request_id) == ("model_not_found", "model", "req_fixture")
    assert "x-evogate-error" not in error.response.headers


async def test_our_own_error_has_the_envelope(gateway: Running) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await gateway.openai.chat.completions.create(
            model="clerk-1", messages=ASK, extra_headers={"x-evogate-policy": "nobody"}
        )
    error = caught.value
    assert error.response.headers["x-evogate-error"] == "unknown_policy" == error.code
    assert isinstance(error.body, dict)
    assert set(error.body) == {"message", "type", "param", "code"}


async def test_retries_of_the_client_are_left_to_it(gateway: Running, provider: Provider) -> None:
    with pytest.raises(openai.InternalServerError):
        await gateway.openai.with_options(max_retries=1).chat.completions.create(model="overloaded", messages=ASK)
    assert [visit.headers[b"x-stainless-retry-count"] for visit in provider.visits] == [b"0", b"1"]


async def test_the_synchronous_client(gateway: Running) -> None:
    def talk() -> tuple[str | None, str]:
        with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="k", max_retries=0) as client:
            answer = client.chat.completions.create(model="clerk-1", messages=ASK)
            stream = client.chat.completions.create(model="clerk-1", messages=ASK, stream=True)
            pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
            return answer.choices[0].message.content, "".join(pieces)

    assert await asyncio.to_thread(talk) == (REPLY, REPLY)


async def test_many_at_once_get_each_its_own(gateway: Running, provider: Provider) -> None:
    async def ask(n: int) -> str | None:
        messages: Any = [{"role": "user", "content": "?"}, {"role": "tool", "tool_call_id": "c", "content": str(n)}]
        answer = await gateway.openai.chat.completions.create(model="clerk-1", messages=messages)
        return answer.choices[0].message.content

    assert await asyncio.gather(*(ask(n) for n in range(40))) == [f"Noted: {n}" for n in range(40)]
