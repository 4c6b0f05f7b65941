"""A gateway in the test's own loop, with a real registry, a real spool and real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

from config.settings import Settings
from gateway.process import Process
from gateway.recording.reader import read_frames
from gateway.sandbox.app import running_sandbox

JSON = dict[str, Any]


def settings(base_url: str, policy: JSON | None = None, **sections: Any) -> Settings:
    """One policy `assistant` on two models of one upstream; `sections` replace whole sections."""
    values: JSON = {
        "upstreams": {"sandbox": {"base_url": base_url}},
        "models": {
            "large": {
                "upstream": "sandbox",
                "model": "sandbox-large",
                "usd_per_mtok": {"input": 2.0, "output": 8.0},
            },
            "small": {"upstream": "sandbox", "model": "sandbox-small"},
        },
        "policies": {
            "assistant": {
                "mode": "auto",
                "match": {"model": "sandbox-*"},
                "genome": {"prompt": {"rubric": "Answer kindly."}, "strategy": {"model_key": "large"}},
                "breaker": {"window_s": 60, "deadline_s": 5},
                "bandit": {"ramp": 0},
                "resilience": {"retries": 0},
                **(policy or {}),
            }
        },
        "gateway": {"port": 0, "admin_port": 0, "poll_s": 0.05},
    }
    return Settings.model_validate(values | sections)


class Running:
    """A gateway that serves, and what a test asks of it."""

    def __init__(self, process: Process, url: str, home: Path, session: aiohttp.ClientSession) -> None:
        self.process = process
        self.worker = process.worker
        self.core = process.worker.core
        self.url = url
        self.home = home
        self.http = session
        self.openai = AsyncOpenAI(base_url=f"{url}/v1", api_key="client-key", max_retries=0)

    def frames(self, kind: str | None = None) -> list[JSON]:
        """What is on disk now."""
        found = (frame for _, frame in read_frames(self.home / "spool" / "w0"))
        return [frame for frame in found if kind is None or frame["t"] == kind]

    async def ask(
        self, text: str = "hello", *, headers: dict[str, str] | None = None, **extra: Any
    ) -> tuple[int, Any, Any]:
        """One chat request: (status, headers, JSON)."""
        body = {"model": "sandbox-large", "messages": [{"role": "user", "content": text}], **extra}
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that the gateway does by itself."""
        async with asyncio.timeout(10):
            while not true():  # noqa: ASYNC110  (the gateway's own timers decide)
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running(config: Settings, home: Path) -> AsyncIterator[Running]:
    """A gateway for as long as the context lasts."""
    process = Process(None, config, home)
    async with process.serving() as url, aiohttp.ClientSession() as session:
        gateway = Running(process, url, home, session)
        try:
            yield gateway
        finally:
            await gateway.openai.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[str]:
    """A provider without delays and without failures of its own."""
    async with running_sandbox(1, delay_scale=0.0, failure_scale=0.0) as url:
        yield url


@pytest.fixture
async def gateway(sandbox: str, tmp_path: Path) -> AsyncIterator[Running]:
    """A gateway in front of the sandbox."""
    async with running(settings(sandbox), tmp_path) as found:
        yield found


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="evogate")
