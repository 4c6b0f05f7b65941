"""The SQLite adapter passes the conformance suite, on a real file."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from policies.registry import Registry, SqliteRegistry
from tests.policies.registry.conformance import RegistryConformance
from tests.policies.registry.conformance.base import Connect


class TestSqlite(RegistryConformance):
    @pytest.fixture
    async def connect(self, tmp_path: Path) -> AsyncIterator[Connect]:
        async with AsyncExitStack() as stack:

            async def connect() -> Registry:
                return await stack.enter_async_context(SqliteRegistry(tmp_path / "registry.db", busy_timeout_s=30.0))

            yield connect

    @pytest.fixture
    def racer(self, tmp_path: Path) -> list[str]:
        return [sys.executable, "-m", "tests.policies.registry.racer", str(tmp_path / "registry.db")]
