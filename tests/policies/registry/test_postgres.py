"""The PostgreSQL adapter passes the conformance suite, on a real server."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from policies.registry import Registry
from policies.registry.postgres import PostgresRegistry
from tests.policies.registry.conformance import RegistryConformance
from tests.policies.registry.conformance.base import Connect


class TestPostgres(RegistryConformance):
    @pytest.fixture
    async def connect(self, url: str) -> AsyncIterator[Connect]:
        async with AsyncExitStack() as stack:

            async def connect() -> Registry:
                return await stack.enter_async_context(PostgresRegistry(url))

            yield connect

    @pytest.fixture
    def racer(self, url: str) -> list[str]:
        return [sys.executable, "-m", "tests.policies.registry.racer", url]
