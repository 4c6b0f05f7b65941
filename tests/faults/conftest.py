"""A gateway in front of a provider that misbehaves, on the loop that it runs on in production."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import uvloop

from config.settings import Settings
from tests.faults import wire
from tests.faults.catalogue import Fault, Shape
from tests.faults.upstream import Act, Upstream
from tests.gateway.pipeline.conftest import Running, running

FERRY: dict[str, Any] = {
    "mode": "auto",
    "match": {"model": "fixture"},
    "genome": {"strategy": {"model_key": "fixture"}},
}
STALL_S = 0.15
PATIENCE_S = 20.0


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Asked by pytest-asyncio for every asynchronous test in this folder."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="evogate")


def upstream_settings(url: str, *, stalls: bool) -> dict[str, Any]:
    """Timeouts that pass at once where the provider stalls, and never where it doesn't. Circuits soon close again."""
    seconds = STALL_S if stalls else PATIENCE_S
    health = {"backoff_s": 0.05, "max_backoff_s": 0.2}
    return {"base_url": url, "first_byte_timeout_s": seconds, "idle_timeout_s": seconds, "health": health}


def settings_for(url: str, *, stalls: bool) -> Settings:
    """One policy, one upstream, nothing to fall back on, and each request goes up once."""
    model = {"upstream": "primary", "model": wire.MODEL, "usd_per_mtok": {"input": 2.0, "output": 8.0}}
    return Settings.model_validate(
        {
            "upstreams": {"primary": upstream_settings(url, stalls=stalls)},
            "models": {"fixture": model},
            "policies": {"ferry": {**FERRY, "resilience": {"retries": 0}}},
            "gateway": {"port": 0, "admin_port": 0},
        }
    )


@contextlib.asynccontextmanager
async def alone(fault: Fault, shape: Shape, home: Path) -> AsyncIterator[tuple[Upstream, Running]]:
    """The fault behind a gateway with one upstream."""
    async with (
        Upstream(fault.answers(shape)).serving() as upstream,
        running(settings_for(upstream.url, stalls=fault.stalls), home) as gateway,
        unpausing(upstream, fault, shape),
    ):
        yield upstream, gateway


@contextlib.asynccontextmanager
async def unpausing(upstream: Upstream, fault: Fault, shape: Shape) -> AsyncIterator[None]:
    """Let an answer that pauses go on once it has paused."""
    pauses = any(step is Act.PAUSE for answer in fault.answers(shape) for step in answer)

    async def resume() -> None:
        await upstream.paused.wait()
        upstream.resume()

    task = asyncio.create_task(resume()) if pauses else None
    yield
    if task is not None:
        await task
