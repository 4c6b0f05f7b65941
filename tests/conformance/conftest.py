"""A gateway in front of the provider, on the loop that it runs on in production."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from config.settings import Settings
from tests.conformance.provider import Provider
from tests.conformance.wiring import APPLIED
from tests.gateway.pipeline.conftest import Running, running

POLICIES = [f"clerk{n}" for n in range(len(APPLIED))]
RUBRIC = "Speak as the ferry's clerk."


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asked by pytest-asyncio for every asynchronous test in this folder."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="evogate")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    """The provider alone."""
    async with Provider().serving() as found:
        yield found


@pytest.fixture
async def gateway(provider: Provider, tmp_path: Path) -> AsyncIterator[Running]:
    """A policy for each endpoint that a genome applies to; any other model or path is relayed."""
    async with running(settings(provider.url), tmp_path) as found:
        yield found


def settings(url: str) -> Settings:
    """Models named `clerk-*` are covered."""
    policies: dict[str, Any] = {
        name: {
            "mode": "auto",
            "match": {"path": path, "model": "clerk-*"},
            "genome": {"prompt": {"rubric": RUBRIC}, "strategy": {"temperature": 0.25}},
        }
        for name, path in zip(POLICIES, APPLIED, strict=True)
    }
    return Settings.model_validate(
        {
            "upstreams": {"fixture": {"base_url": url}},
            "policies": policies,
            "gateway": {"port": 0, "admin_port": 0},
        }
    )
