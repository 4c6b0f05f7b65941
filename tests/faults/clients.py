"""Two clients that say what they were told: one that reads the wire, and the official one."""

from dataclasses import dataclass
from typing import Any

import aiohttp
import openai
import orjson

from tests.faults.catalogue import Shape

CHAT: dict[str, Any] = {"model": "fixture", "messages": [{"role": "user", "content": "Tell me of the ferry."}]}


@dataclass(frozen=True, slots=True)
class Got:
    """What a client was told. `whole`: it takes `text` for the complete answer."""

    status: int
    whole: bool
    text: str = ""
    code: str | None = None  # of the error
    ours: bool = False
    model: str = ""
    usage: dict[str, int] | None = None


async def on_the_wire(session: aiohttp.ClientSession, url: str, shape: Shape, **extra: Any) -> Got:
    """Ask, and read the answer as bytes."""
    body = {**CHAT, "stream": shape == "stream", **extra}
    async with session.post(f"{url}/v1/chat/completions", json=body) as answer:
        raw = await answer.read()
        ours = "x-evogate-error" in answer.headers
        if answer.content_type == "text/event-stream":
            return _streamed(answer.status, raw)
        return _whole(answer.status, raw, ours=ours)


def _whole(status: int, raw: bytes, *, ours: bool) -> Got:
    value = orjson.loads(raw)
    if "error" in value:
        return Got(status, whole=False, code=value["error"]["code"], ours=ours)
    text = value["choices"][0]["message"]["content"]
    return Got(status, whole=status == 200, text=text, model=value["model"], usage=value["usage"])


def _streamed(status: int, raw: bytes) -> Got:
    """As clients read it: `[DONE]`, or the end after a finish reason, makes it whole."""
    text, model, usage, finished = "", "", None, False
    events = [line.removeprefix(b"data: ") for line in raw.split(b"\n\n") if line]
    for data in events:
        if data == b"[DONE]":
            assert data is events[-1], "something follows the terminator"
            break
        value = orjson.loads(data)
        if "error" in value:
            assert data is events[-1], "something follows the error"
            return Got(status, False, text, value["error"]["code"], ours=_is_ours(value["error"]), model=model)
        model, usage = value["model"], value.get("usage") or usage
        for choice in value["choices"]:
            text += choice["delta"].get("content") or ""
            finished = finished or choice["finish_reason"] is not None
    assert finished, "the stream ended without an end and without an error"
    return Got(status, whole=True, text=text, model=model, usage=usage)


def _is_ours(error: dict[str, Any]) -> bool:
    return error["type"] == "upstream_error" and set(error) == {"message", "type", "param", "code"}


async def official(client: openai.AsyncOpenAI, shape: Shape, **extra: Any) -> str | openai.APIError:
    """Ask with the official client: the text that an application would go on with, or the error raised to it."""
    try:
        if shape == "whole":
            answer = await client.chat.completions.create(**CHAT, **extra)
            return answer.choices[0].message.content or ""
        stream = await client.chat.completions.create(**CHAT, **extra, stream=True)
        return "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
    except openai.APIError as error:
        return error
