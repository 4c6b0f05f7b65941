"""Where a genome applies it speaks the endpoint's own words, leaving tools, images and the unknown alone."""

from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
import pytest

from tests.conformance.calls import PIXEL, SCHEMA
from tests.conformance.conftest import RUBRIC
from tests.conformance.provider import Provider
from tests.conformance.provider.framing import REPLY, TRIP
from tests.conformance.wiring import APPLIED
from tests.gateway.pipeline.conftest import Running

JSON = dict[str, Any]
FUTURE: JSON = {"x_future": {"a": [1, 2.50, None]}}

REQUESTS: dict[str, JSON] = {
    "/v1/chat/completions": {
        "messages": [
            {"role": "system", "content": "Be polite."},
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
            },
        ],
        "tools": [{"type": "function", "function": {"name": "book", "parameters": SCHEMA}}],
        "response_format": {"type": "json_object"},
    },
    "/v1/completions": {"prompt": "Once upon a time", "suffix": "the end", "logprobs": 1},
    "/v1/responses": {
        "instructions": "Be polite.",
        "input": [
            {"role": "user", "content": [{"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"}]}
        ],
        "tools": [{"type": "function", "name": "book", "parameters": SCHEMA}],
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    },
    "/v1/messages": {
        "max_tokens": 64,
        "system": [{"type": "text", "text": "Be polite.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {
                "role": "user",
                "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}],
            }
        ],
        "tools": [{"name": "book", "input_schema": SCHEMA}],
    },
}

# Where each endpoint takes a system text, as one string. Text completions have no such place.
SYSTEM: dict[str, Callable[[JSON], str]] = {
    "/v1/chat/completions": lambda up: "\n".join(str(m["content"]) for m in up["messages"] if m["role"] == "system"),
    "/v1/responses": lambda up: str(up["instructions"]),
    "/v1/messages": lambda up: up["system"] if isinstance(up["system"], str) else str(up["system"]),
}
UNTOUCHED = ("tools", "response_format", "text", "suffix", "logprobs", "x_future")


async def _ask(gateway: Running, path: str, **extra: Any) -> bytes:
    body = {"model": "clerk-1", **REQUESTS[path], **FUTURE, **extra}
    async with aiohttp.ClientSession() as session, session.post(gateway.url + path, json=body) as answer:
        assert answer.status == 200
        assert answer.headers["x-evogate-version"] == "v1.0"
        return await answer.read()


@pytest.mark.parametrize("path", APPLIED)
async def test_the_genome_goes_where_the_endpoint_wants_it(path: str, provider: Provider, gateway: Running) -> None:
    await _ask(gateway, path)
    up, sent = provider.last.json, {**REQUESTS[path], **FUTURE}
    assert up["temperature"] == 0.25
    for name in UNTOUCHED:
        assert up.get(name) == sent.get(name)
    system = SYSTEM.get(path)
    if system is not None:
        assert RUBRIC in system(up)
        assert "Be polite." in system(up)
        assert PIXEL in str(up.get("messages") or up.get("input"))


@pytest.mark.parametrize("path", APPLIED)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_the_answer_is_read_for_the_record(path: str, stream: bool, gateway: Running) -> None:
    await _ask(gateway, path, stream=stream)
    (recorded,) = gateway.frames("outcome")
    assert (recorded["failure"], recorded["model"], recorded["output_tokens"]) == (None, "clerk-1", 6)
    assert recorded["answer"]["text"] == (REPLY if path == "/v1/completions" else "")
    if path != "/v1/completions":
        (call,) = recorded["answer"]["tool_calls"]
        assert call["name"] == "book"
        assert orjson.loads(call["arguments"]) == TRIP
