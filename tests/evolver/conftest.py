"""Fixtures shared by the evolver's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.sandbox.app import running_sandbox
from tests.evolver.support import World, make_settings, make_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose provider does not answer."""
    async with make_world(tmp_path, make_settings()) as made:
        yield made


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose provider is the sandbox."""
    async with running_sandbox(3) as base_url, make_world(tmp_path, make_settings(base_url)) as made:
        yield made
