"""A provider without delays and failures of its own, and the official client."""

from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI

from gateway.sandbox.app import running_sandbox
from gateway.sandbox.worlds import World


@pytest.fixture
def world() -> World:
    return World(1)


@pytest.fixture
async def base_url() -> AsyncIterator[str]:
    async with running_sandbox(1, failure_scale=0.0) as url:
        yield url


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=base_url, api_key="sk-test", max_retries=0, timeout=10.0) as client:
        yield client
