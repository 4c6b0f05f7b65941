"""Where no policy covers a request: through the gateway the provider sees, and the client gets, what they would
without it. Each call is made twice, straight and through, by the official clients."""

import contextlib
from collections.abc import AsyncIterator

import anthropic
import openai
import pytest
from anthropic import AsyncAnthropic
from openai import AsyncOpenAI

from tests.conformance.calls import CALLS, Clients
from tests.conformance.conftest import POLICIES
from tests.conformance.provider import Provider
from tests.faults.upstream import Visit
from tests.gateway.pipeline.conftest import Running

_PER_HOP = {b"host", b"connection"}


@contextlib.asynccontextmanager
async def clients(base: str) -> AsyncIterator[Clients]:
    """`base` ends in `/v1`."""
    async with (
        AsyncOpenAI(base_url=base, api_key="key-o", max_retries=0) as first,
        AsyncAnthropic(base_url=base.removesuffix("/v1"), api_key="key-a", max_retries=0) as second,
    ):
        yield Clients(first, second)


def seen(visit: Visit) -> tuple[bytes, bytes, dict[bytes, bytes], bytes]:
    """A request as the provider sees it, without what each connection has of its own and with one boundary."""
    boundary = visit.headers.get(b"content-type", b"").partition(b"boundary=")[2]
    headers = {name: value for name, value in visit.headers.items() if name not in _PER_HOP}
    if not boundary:
        return visit.method, visit.target, headers, visit.body
    headers[b"content-type"] = headers[b"content-type"].replace(boundary, b"B")
    return visit.method, visit.target, headers, visit.body.replace(boundary, b"B")


@pytest.mark.parametrize("name", CALLS)
async def test_the_gateway_is_not_there(name: str, provider: Provider, gateway: Running) -> None:
    async with clients(provider.url) as straight:
        expected = await CALLS[name](straight)
    direct = [seen(visit) for visit in provider.visits]
    async with clients(f"{gateway.url}/v1") as through:
        assert await CALLS[name](through) == expected
    assert [seen(visit) for visit in provider.visits[len(direct) :]] == direct
    assert gateway.frames() == []


async def test_credentials_and_versions_reach_the_provider(provider: Provider, gateway: Running) -> None:
    async with clients(f"{gateway.url}/v1") as through:
        await CALLS["messages"](through)
    headers = provider.last.headers
    assert (headers[b"authorization"], headers[b"x-api-key"]) == (b"Bearer key-a", b"older")
    assert headers[b"anthropic-version"]
    assert headers[b"anthropic-beta"] == b"future-2030-01-01"


async def test_the_list_of_models_has_the_policies_in_it(gateway: Running) -> None:
    assert [model.id async for model in await gateway.openai.models.list()] == ["fixture-1", *POLICIES]
    with pytest.raises(openai.NotFoundError) as caught:
        await gateway.openai.models.retrieve("nobody")
    assert caught.value.code == "unknown_url"


async def test_errors_of_the_provider_are_its_own(gateway: Running) -> None:
    async with clients(f"{gateway.url}/v1") as through:
        with pytest.raises(anthropic.APIStatusError) as theirs:
            await through.anthropic.messages.create(
                model="overloaded", max_tokens=9, messages=[{"role": "user", "content": "x"}]
            )
        assert theirs.value.status_code == 529
        assert theirs.value.response.headers["x-request-id"] == "req_fixture"
        assert isinstance(theirs.value.body, dict)
        assert theirs.value.body["error"]["type"] == "overloaded_error"
        with pytest.raises(openai.NotFoundError):
            await through.openai.responses.create(model="missing", input="x")
