"""A stream that is cut on its way: every official client raises, on every endpoint, covered by a policy or not."""

from collections.abc import Awaitable, Callable
from typing import Any

import anthropic
import openai
import pytest

from tests.conformance.calls import Clients
from tests.conformance.provider import Provider
from tests.conformance.test_untouched import clients
from tests.conformance.wiring import APPLIED
from tests.gateway.pipeline.conftest import Running

ASK: Any = [{"role": "user", "content": "Hello"}]
Read = Callable[[Clients, str], Awaitable[None]]


async def chat(c: Clients, model: str) -> None:
    async for _ in await c.openai.chat.completions.create(model=model, messages=ASK, stream=True):
        pass


async def completions(c: Clients, model: str) -> None:
    async for _ in await c.openai.completions.create(model=model, prompt="x", stream=True):
        pass


async def responses(c: Clients, model: str) -> None:
    async for _ in await c.openai.responses.create(model=model, input="x", stream=True):
        pass


async def messages(c: Clients, model: str) -> None:
    async with c.anthropic.messages.stream(model=model, max_tokens=9, messages=ASK) as stream:
        await stream.get_final_message()


ENDPOINTS: dict[str, Read] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completions,
    "/v1/responses": responses,
    "/v1/messages": messages,
}


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_relayed(path: str, provider: Provider, gateway: Running) -> None:
    provider.cut = True
    async with clients(f"{gateway.url}/v1") as through:
        with pytest.raises((openai.APIError, anthropic.APIError)):
            await ENDPOINTS[path](through, "fixture-1")


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if path in APPLIED])
async def test_covered(path: str, provider: Provider, gateway: Running) -> None:
    provider.cut = True
    async with clients(f"{gateway.url}/v1") as through:
        with pytest.raises((openai.APIError, anthropic.APIError)):
            await ENDPOINTS[path](through, "clerk-1")
    assert gateway.frames("outcome")[0]["failure"] == "cut_short"
