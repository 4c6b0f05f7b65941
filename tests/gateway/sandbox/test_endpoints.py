"""Responses, text completions and Anthropic's messages: what the official clients read from them."""

from collections.abc import AsyncIterator
from itertools import islice
from random import Random
from typing import Any

import anthropic
import openai
import orjson
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from gateway.sandbox.tasks import draw_task, tasks
from gateway.sandbox.worlds import World

MODEL = "sandbox-large"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
CAREFUL = "When you call a tool, fill in every argument. Use the tools immediately, without asking for confirmation."
STRUCTURED: Any = {"type": "json_schema", "name": "s", "schema": {**SCHEMA, "required": ["city"]}}


@pytest.fixture
async def claude(base_url: str) -> AsyncIterator[AsyncAnthropic]:
    url = base_url.removesuffix("/v1")
    async with AsyncAnthropic(base_url=url, api_key="sk-test", max_retries=0, timeout=10.0) as client:
        yield client


def asked(world: World, count: int) -> list[Any]:
    return [task.body(MODEL, temperature=0) for task in islice(tasks(Random(3), world), count)]


def flat(tools: list[Any], schema: str) -> Any:
    return [{"type": "function", "name": t["function"]["name"], schema: t["function"]["parameters"]} for t in tools]


async def said_in_chat(client: AsyncOpenAI, request: Any) -> tuple[str, list[Any]]:
    message = (await client.chat.completions.create(**request)).choices[0].message
    calls: Any = message.tool_calls or []
    return message.content or "", [(call.function.name, orjson.loads(call.function.arguments)) for call in calls]


class TestResponses:
    async def test_the_model_says_what_it_says_in_chat(self, client: AsyncOpenAI, world: World) -> None:
        for request in asked(world, 20):
            *system, question = request["messages"]
            extras: Any = {"tools": flat(request["tools"], "parameters")} if "tools" in request else {}
            if "response_format" in request:
                extras["text"] = {"format": {"type": "json_schema", **request["response_format"]["json_schema"]}}
            extras |= {"instructions": system[0]["content"]} if system else {}
            answer = await client.responses.create(model=MODEL, input=question["content"], temperature=0, **extras)
            calls = [(i.name, orjson.loads(i.arguments)) for i in answer.output if i.type == "function_call"]
            assert (answer.output_text, calls) == await said_in_chat(client, request)
            assert answer.status == "completed"
            assert answer.usage is not None
            assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens

    async def test_a_stream_ends_in_the_whole_answer(self, client: AsyncOpenAI) -> None:
        async with client.responses.stream(model=MODEL, input="hello there", instructions="Hm.") as stream:
            events = [event async for event in stream]
            final = await stream.get_final_response()
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert "".join(deltas) == final.output_text
        assert len(deltas) > 5
        assert events[-1].type == "response.completed"
        assert [event.sequence_number for event in events] == list(range(len(events)))

    async def test_calls_and_their_results(self, client: AsyncOpenAI) -> None:
        tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
        first = await client.responses.create(model=MODEL, input="hello", tools=tools, tool_choice="required")
        call = first.output[0]
        assert call.type == "function_call"
        assert orjson.loads(call.arguments).keys() == {"city", "days"}
        result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sun"}]
        after = await client.responses.create(model=MODEL, input=result, previous_response_id=first.id, tools=tools)
        assert "sun" in after.output_text
        named: Any = {"type": "function", "name": "weather"}
        async with client.responses.stream(model=MODEL, input="hello", tools=tools, tool_choice=named) as stream:
            final = await stream.get_final_response()
        assert final.output[0].type == "function_call"

    async def test_what_is_stored_is_gone_on_from(self, client: AsyncOpenAI) -> None:
        sizes = []
        parent: Any = {}
        for _ in range(3):
            answer = await client.responses.create(model=MODEL, input="hello there", **parent)
            parent = {"previous_response_id": answer.id}
            assert answer.usage is not None
            sizes.append(answer.usage.input_tokens)
        assert sizes[0] < sizes[1] < sizes[2]
        for _ in range(2):
            held = await client.responses.create(model=MODEL, input="hello there", conversation="conv_1")
        assert held.usage is not None
        assert held.usage.input_tokens == sizes[1]
        unstored = await client.responses.create(model=MODEL, input="hello", store=False)
        for unknown in ("resp_none", unstored.id):
            with pytest.raises(openai.BadRequestError, match="not found"):
                await client.responses.create(model=MODEL, input="hello", previous_response_id=unknown)

    async def test_limits_schemas_and_errors(self, client: AsyncOpenAI) -> None:
        short = await client.responses.create(model=MODEL, input="hello there", max_output_tokens=4)
        assert short.status == "incomplete"
        assert short.incomplete_details is not None
        assert short.incomplete_details.reason == "max_output_tokens"
        shaped = await client.responses.create(model=MODEL, input="hello", text={"format": STRUCTURED})
        assert orjson.loads(shaped.output_text).keys() == {"city", "days"}
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="gpt-99", input="hello")
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(model=MODEL, input=7)  # type: ignore[call-overload]


class TestCompletions:
    async def test_whole_and_streamed(self, client: AsyncOpenAI) -> None:
        request: Any = {"model": MODEL, "prompt": "Be kind.\n\nhello there", "max_tokens": 100, "temperature": 0}
        whole = await client.completions.create(**request)
        assert whole.choices[0].text.startswith("This is the sandbox")
        assert whole.choices[0].finish_reason == "stop"
        stream = await client.completions.create(**request, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
        assert chunks[-1].usage == whole.usage

    async def test_the_endpoints_own_defaults_and_errors(self, client: AsyncOpenAI) -> None:
        short = await client.completions.create(model=MODEL, prompt=["hello there, how are you"], echo=True)
        assert short.choices[0].finish_reason == "length"
        assert short.choices[0].text.startswith("hello there")
        with pytest.raises(openai.BadRequestError):
            await client.completions.create(model=MODEL, prompt=[1, 2, 3])


class TestMessages:
    async def test_the_model_says_what_it_says_in_chat(
        self, claude: AsyncAnthropic, client: AsyncOpenAI, world: World
    ) -> None:
        for request in asked(world, 20):
            *system, question = request["messages"]
            extras: Any = {"tools": flat(request["tools"], "input_schema")} if "tools" in request else {}
            extras |= {"system": [{"type": "text", "text": system[0]["content"]}]} if system else {}
            if "response_format" in request:
                wanted = request["response_format"]["json_schema"]["schema"]
                extras["output_config"] = {"format": {"type": "json_schema", "schema": wanted}}
            answer = await claude.messages.create(
                model=MODEL, messages=[question], max_tokens=4096, extra_body={"temperature": 0}, **extras
            )
            text = "".join(block.text for block in answer.content if block.type == "text")
            calls = [(block.name, block.input) for block in answer.content if block.type == "tool_use"]
            assert (text, calls) == await said_in_chat(client, request)
            assert answer.stop_reason == ("tool_use" if calls else "end_turn")

    async def test_a_stream_adds_up(self, claude: AsyncAnthropic, world: World) -> None:
        task = draw_task(Random(2), world, "tools", system=CAREFUL)
        body: Any = task.body(MODEL)
        tools = flat(body["tools"], "input_schema")
        for extras in ({}, {"tools": tools, "system": CAREFUL, "tool_choice": {"type": "any"}}):
            request: Any = {"model": MODEL, "messages": [body["messages"][-1]], "max_tokens": 500}
            request["extra_body"] = {"temperature": 0}
            whole = await claude.messages.create(**request, **extras)
            async with claude.messages.stream(**request, **extras) as stream:
                final = await stream.get_final_message()
            assert [contents(block) for block in final.content] == [contents(block) for block in whole.content]
            assert final.stop_reason == whole.stop_reason
            assert final.usage.output_tokens == whole.usage.output_tokens

    async def test_results_of_tools(self, claude: AsyncAnthropic) -> None:
        tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
        said: list[Any] = [{"role": "user", "content": "hello"}]
        choice: Any = {"type": "tool", "name": "weather"}
        first = await claude.messages.create(
            model=MODEL, messages=said, max_tokens=100, tools=tools, tool_choice=choice
        )
        call = first.content[0]
        assert call.type == "tool_use"
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "sun"}
        said += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
        after = await claude.messages.create(model=MODEL, messages=said, max_tokens=100, tools=tools)
        assert after.content[0].type == "text"
        assert "sun" in after.content[0].text

    async def test_limits_schemas_and_cached_input(self, claude: AsyncAnthropic) -> None:
        hello: Any = [{"role": "user", "content": "hello there"}]
        assert (await claude.messages.create(model=MODEL, messages=hello, max_tokens=4)).stop_reason == "max_tokens"
        shaped = await claude.messages.create(
            model=MODEL, messages=hello, max_tokens=100, extra_body={"output_config": {"format": STRUCTURED}}
        )
        assert shaped.content[0].type == "text"
        assert orjson.loads(shaped.content[0].text).keys() == {"city", "days"}
        long = "Policy paragraph. " * 60
        usages = [
            (await claude.messages.create(model=MODEL, system=long, messages=hello, max_tokens=50)).usage
            for _ in range(2)
        ]
        assert (usages[0].cache_read_input_tokens, usages[1].cache_read_input_tokens) == (0, 256)
        assert usages[0].input_tokens == usages[1].input_tokens + 256

    async def test_errors_in_anthropics_envelope(self, claude: AsyncAnthropic, base_url: str) -> None:
        hello: Any = [{"role": "user", "content": "hello"}]
        for model, sent, error, kind in (
            ("gpt-99", hello, anthropic.NotFoundError, "not_found_error"),
            (MODEL, [], anthropic.BadRequestError, "invalid_request_error"),
        ):
            with pytest.raises(error) as caught:
                await claude.messages.create(model=model, messages=sent, max_tokens=10)
            body: Any = caught.value.body
            assert (body["type"], body["error"]["type"]) == ("error", kind)
        stranger = claude.with_options(api_key="sk-invalid")
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model=MODEL, messages=hello, max_tokens=10)


def contents(block: Any) -> Any:
    return block.text if block.type == "text" else (block.name, block.input)


FAULTY: dict[str, Any] = {
    "/responses": {"input": "hello there"},
    "/completions": {"prompt": "hello there"},
    "/messages": {"messages": [{"role": "user", "content": "hello there"}], "max_tokens": 100},
}


@pytest.mark.parametrize("path", FAULTY)
async def test_faults_break_every_endpoint_in_its_own_way(client: AsyncOpenAI, path: str) -> None:
    async def send(fault: str) -> bytes:
        body = {"model": MODEL, "stream": True, **FAULTY[path]}
        headers = {"x-sandbox-fault": fault}
        answer: Any = await client.post(
            path, body=body, cast_to=openai.HttpxBinaryResponseContent, options={"headers": headers}
        )
        return bytes(answer.content)

    good = await send("no_usage")
    ends = {"/responses": b"response.completed", "/completions": b"[DONE]", "/messages": b"message_stop"}
    assert ends[path] in good
    for fault in ("no_done", "stream_error"):
        assert ends[path] not in await send(fault)
    assert b'"error"' in await send("stream_error")
    assert b'[{"del\n\n' in await send("malformed")
    with pytest.raises(openai.APIStatusError) as caught:
        await send("503")
    body: Any = caught.value.response.json()
    assert body["error"]["type"] == ("overloaded_error" if path == "/messages" else "server_error")
