"""The end of a gateway as a load balancer sees it: SIGTERM while a stream runs, and new connections meanwhile."""

import asyncio
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.gateway.pipeline.scripted import DONE, END, STREAM, Visit, chunk, delta, provider
from tests.gateway.test_process import CONFIG, process, ready

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "stream": True}


async def _told(url: str, path: str, body: Any = None) -> tuple[int, Mapping[str, str], Any]:
    """On a connection of its own: status, headers and JSON."""
    method = "GET" if body is None else "POST"
    async with aiohttp.ClientSession() as session, session.request(method, url + path, json=body) as answer:
        return answer.status, answer.headers, await answer.json()


async def _until_unready(url: str) -> None:
    async with asyncio.timeout(10):
        while (await _told(url, "/ready"))[0] != 503:
            pass


async def _until_refused(url: str) -> None:
    async with asyncio.timeout(10):
        while True:
            try:
                await _told(url, "/health")
            except aiohttp.ClientError:
                return


@pytest.mark.parametrize("workers", [1, 2])
async def test_who_connects_during_the_drain_is_told_so(tmp_path: Path, workers: int) -> None:
    go = asyncio.Event()
    visits = 0

    async def script(visit: Visit) -> None:
        nonlocal visits
        visits += 1
        await visit.send(STREAM + chunk(delta("begun")))
        await go.wait()
        await visit.send(chunk(delta(" and ended", "stop")) + chunk(DONE) + END)

    config = tmp_path / "evogate.yaml"
    async with provider(script) as base, aiohttp.ClientSession() as session:
        config.write_text(CONFIG.format(base=base, rubric="Be kind."))
        async with process(config, tmp_path / "home", "--workers", str(workers)) as child:
            url = await ready(child)
            running = await session.post(f"{url}/v1/chat/completions", json=ASKED)
            assert (await _told(url, "/ready"))[0] == 200
            child.send_signal(signal.SIGTERM)
            await _until_unready(url)

            for _ in range(4):
                assert (await _told(url, "/ready"))[::2] == (503, {"ready": False})
                assert (await _told(url, "/health"))[0] == 200
                for path, body in (("/v1/chat/completions", ASKED), ("/v1/embeddings", {"input": "x"})):
                    status, headers, said = await _told(url, path, body)
                    assert (status, said["error"]["code"]) == (503, "draining")
                    assert headers["x-evogate-error"] == "draining"
                    assert (headers["retry-after"], headers["connection"].lower()) == ("1", "close")
                status, _, said = await _told(url, "/v1/messages", ASKED)
                assert (status, said["type"], said["error"]["type"]) == (503, "error", "overloaded_error")
                assert (await _told(url, "/v1/feedback", {"request_id": "unknown", "score": 1}))[0] == 404
            assert visits == 1, "none of it went to the provider"

            go.set()
            assert (await running.text()).endswith("[DONE]\n\n")
            assert await asyncio.wait_for(child.wait(), 10) == 0
            await _until_refused(url)


async def test_the_grace_period_ends_the_drain_with_clients_at_the_door(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.send(STREAM + chunk(delta("begun")))
        await visit.gone()

    config = tmp_path / "evogate.yaml"
    async with provider(script) as base, aiohttp.ClientSession() as session:
        text = CONFIG.format(base=base, rubric="Be kind.")
        config.write_text(text.replace("admin_port: 0}", "admin_port: 0, limits: {drain_s: 0.5}}"))
        async with process(config, tmp_path / "home") as child:
            url = await ready(child)
            running = await session.post(f"{url}/v1/chat/completions", json=ASKED)
            child.send_signal(signal.SIGTERM)
            await _until_refused(url)
            with pytest.raises(aiohttp.ClientError):
                await running.text()
            assert await asyncio.wait_for(child.wait(), 10) == 0
