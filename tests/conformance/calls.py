"""What applications ask of the official clients, an entry each: a name, and a call whose result can be compared."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.conformance.provider.framing import TRIP

SCHEMA: Any = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
PIXEL = "iVBORw0KGgo="


class Trip(BaseModel):
    city: str
    days: int


@dataclass(frozen=True, slots=True)
class Clients:
    """The two official clients, pointed at the same place."""

    openai: AsyncOpenAI
    anthropic: AsyncAnthropic


Call = Callable[[Clients], Awaitable[object]]


async def responses(c: Clients) -> object:
    asked: Any = [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this?"},
                {"type": "input_image", "detail": "low", "image_url": f"data:image/png;base64,{PIXEL}"},
            ],
        }
    ]
    answer = await c.openai.responses.create(model="fixture-1", instructions="Be brief.", input=asked)
    return answer.output_text, answer.usage


async def responses_tools(c: Clients) -> object:
    tools: Any = [{"type": "function", "name": "book", "parameters": SCHEMA, "strict": True}]
    first = await c.openai.responses.create(model="fixture-1", input="Book it.", tools=tools)
    call = first.output[0]
    assert call.type == "function_call"
    said: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "seat 12"}]
    second = await c.openai.responses.create(model="fixture-1", input=said, tools=tools, previous_response_id=first.id)
    return call.arguments, second.output_text, second.previous_response_id


async def responses_stream(c: Clients) -> object:
    stream = await c.openai.responses.create(model="fixture-1", input="Hello", stream=True)
    return [event.model_dump() async for event in stream]


async def responses_parse(c: Clients) -> object:
    async with c.openai.responses.stream(model="fixture-1", input="Hello", text_format=Trip) as stream:
        final = await stream.get_final_response()
    whole = await c.openai.responses.parse(model="fixture-1", input="Hello", text_format=Trip)
    assert whole.output_parsed == final.output_parsed == Trip(**TRIP)
    return whole.output_text


async def completions(c: Clients) -> object:
    answer = await c.openai.completions.create(model="fixture-1", prompt="Once", max_tokens=20, suffix="end")
    stream = await c.openai.completions.create(model="fixture-1", prompt="Once", stream=True)
    return answer.choices[0].text, [chunk.model_dump() async for chunk in stream]


async def embeddings(c: Clients) -> object:
    answer = await c.openai.embeddings.create(model="fixture-1", input=["a", "b"], encoding_format="float")
    return answer.model_dump()


async def files(c: Clients) -> object:
    made = await c.openai.files.create(file=("a.jsonl", bytes(range(256)) * 300), purpose="batch")
    content = await c.openai.files.content(made.id)
    gone = await c.openai.files.delete(made.id)
    return made.model_dump(), content.content, gone.deleted


async def speech(c: Clients) -> object:
    async with c.openai.audio.speech.with_streaming_response.create(model="m", voice="alloy", input="hi") as answer:
        return answer.headers["content-type"], b"".join([piece async for piece in answer.iter_bytes()])


async def messages(c: Clients) -> object:
    source: Any = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]
    answer = await c.anthropic.messages.create(
        model="fixture-1",
        max_tokens=64,
        system=system,
        messages=[{"role": "user", "content": content}],
        extra_body={"x_future": {"a": [1, None]}},
        extra_headers={"anthropic-beta": "future-2030-01-01", "x-api-key": "older"},  # clients before 2 sent it there
    )
    return answer.model_dump()


async def messages_tools(c: Clients) -> object:
    tools: Any = [{"name": "book", "input_schema": SCHEMA}]
    turns: Any = [{"role": "user", "content": "Book it."}]
    first = await c.anthropic.messages.create(model="fixture-1", max_tokens=64, tools=tools, messages=turns)
    use = first.content[0]
    assert use.type == "tool_use"
    assert use.input == TRIP
    turns += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "seat 12"}]},
    ]
    second = await c.anthropic.messages.create(model="fixture-1", max_tokens=64, tools=tools, messages=turns)
    return second.model_dump()


async def messages_stream(c: Clients) -> object:
    tools: Any = [{"name": "book", "input_schema": SCHEMA}]
    turns: Any = [{"role": "user", "content": "Hello"}]
    async with c.anthropic.messages.stream(model="fixture-1", max_tokens=64, messages=turns) as stream:
        text = [piece async for piece in stream.text_stream]
    async with c.anthropic.messages.stream(model="fixture-1", max_tokens=64, messages=turns, tools=tools) as stream:
        final = await stream.get_final_message()
    return text, final.model_dump()


CALLS: dict[str, Call] = {
    f.__name__: f
    for f in (
        responses, responses_tools, responses_stream, responses_parse, completions, embeddings, files, speech, messages,
        messages_tools, messages_stream,
    )
}  # fmt: skip
