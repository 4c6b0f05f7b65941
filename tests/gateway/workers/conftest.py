"""A gateway of several workers: the parent in the test's own loop, the workers as processes."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from config.loader import loads
from gateway.recording import read_frames, writers
from gateway.workers.parent import Parent
from policies.genome import Genome, Lineage
from policies.registry import open_registry
from policies.registry.operations import start_canary
from policies.registry.values import Candidate
from tests.gateway.pipeline.conftest import JSON, sandbox

__all__ = ["sandbox"]


class Several:
    """What a test asks of the gateway. Every request has a connection of its own: the kernel picks the worker."""

    def __init__(self, parent: Parent, url: str, home: Path, config: Path, session: aiohttp.ClientSession) -> None:
        self.parent = parent
        self.url = url
        self.home = home
        self.config = config
        self.http = session

    def frames(self, kind: str) -> list[JSON]:
        """What is on disk, of all writers, in the order of time."""
        root = self.home / "spool"
        found = [frame for name in writers(root) for _, frame in read_frames(root / name) if frame["t"] == kind]
        return sorted(found, key=lambda frame: float(frame["at"]))

    async def ask(self, text: str = "hello", session: str | None = None) -> tuple[int, Any, Any]:
        """One chat request: (status, headers, JSON)."""
        body = {"model": "sandbox-large", "messages": [{"role": "user", "content": text}]}
        headers = {"x-evogate-session": session} if session else None
        async with self.http.post(f"{self.url}/v1/chat/completions", json=body, headers=headers) as answer:
            return answer.status, answer.headers, await answer.json()

    async def feedback(self, **body: Any) -> tuple[int, Any]:
        """One word about an answer."""
        async with self.http.post(f"{self.url}/v1/feedback", json=body) as answer:
            return answer.status, await answer.json()

    async def admin(self, page: str) -> Any:
        """A page of the admin listener, as JSON."""
        async with self.http.get(f"{self.parent.admin_url}/admin/{page}") as answer:
            return await answer.json()

    async def numbers(self) -> dict[str, float]:
        """`/metrics`, by name and labels."""
        async with self.http.get(f"{self.parent.admin_url}/metrics") as answer:
            lines = (await answer.text()).splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    async def reload(self) -> tuple[int, Any]:
        """Ask for the file to be read again."""
        async with self.http.post(f"{self.parent.admin_url}/admin/reload") as answer:
            return answer.status, await answer.json()

    def write(self, rubric: str) -> None:
        """Change the configuration's file."""
        values = orjson.loads(self.config.read_bytes())
        values["policies"]["assistant"]["genome"]["prompt"]["rubric"] = rubric
        self.config.write_bytes(orjson.dumps(values))

    async def canary(self, rubric: str) -> None:
        """A candidate that serves its share in every worker as soon as this returns."""
        content = Genome.model_validate({"prompt": {"rubric": rubric}, "strategy": {"model_key": "large"}})
        candidate = Candidate(
            "c1", "assistant", "prompt", content, "v1.0", Lineage(source="patch"), "proposed", 1.0, 1.0
        )
        async with open_registry(self.home) as registry:
            assert await registry.add_candidate(candidate)
            stored = await registry.candidate("c1")
            await start_canary(
                registry, stored, who="test", reason="test", counted=True, now=asyncio.get_running_loop().time()
            )
        await self._until_all_draw_among(2)

    async def roll_back(self) -> None:
        """Take the candidate back, as another worker's breaker would; returns when every worker knows."""
        async with open_registry(self.home) as registry:
            candidate = await registry.candidate("c1")
            await registry.advance(candidate, "trip", who="w9", reason="test", now=asyncio.get_running_loop().time())
        await self._until_all_draw_among(1)

    async def _until_all_draw_among(self, count: int) -> None:
        async with asyncio.timeout(10):
            while {len(arms) for arms in (await self.arms()).values()} != {count}:
                pass

    async def arms(self) -> dict[str, list[str]]:
        """The arms that each worker draws among."""
        found = await self.parent._of_each("status")
        return {name: [arm["genome"] for arm in facts["arms"]] for name, facts in found.items()}

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait for something that the gateway does by itself."""
        async with asyncio.timeout(30):
            while not true():  # noqa: ASYNC110  (the gateway's own timers decide)
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def several(
    base_url: str,
    folder: Path,
    *,
    count: int = 2,
    rubric: str = "Answer kindly.",
    registry: JSON | None = None,
    upstream: JSON | None = None,
    policy: JSON | None = None,
    **gateway: Any,
) -> AsyncIterator[Several]:
    """A gateway for as long as the context lasts."""
    values = {
        "upstreams": {"sandbox": {"base_url": base_url, **(upstream or {})}},
        "models": {"large": {"upstream": "sandbox", "model": "sandbox-large"}},
        "policies": {
            "assistant": {
                "mode": "auto",
                "match": {"model": "sandbox-*"},
                "genome": {"prompt": {"rubric": rubric}, "strategy": {"model_key": "large"}},
                "bandit": {"production_share": 0.5, "floor": 0.2},
                **(policy or {}),
            }
        },
        "registry": registry or {},
        "gateway": {"port": 0, "admin_port": 0, "poll_s": 0.1, **gateway},
    }
    config, home = folder / "evogate.yaml", folder / "home"
    config.write_bytes(orjson.dumps(values))
    text = config.read_text()
    parent = Parent(config, text, loads(text, os.environ), home, count=count)
    connector = aiohttp.TCPConnector(force_close=True)
    async with parent.serving() as url, aiohttp.ClientSession(connector=connector) as session:
        yield Several(parent, url, home, config, session)


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="evogate")
