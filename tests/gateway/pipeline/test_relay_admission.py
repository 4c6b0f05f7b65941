"""What no policy covers is subject to its upstream's health, limit and queue, as everything else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.gateway.pipeline.conftest import Running, running, settings
from tests.gateway.pipeline.scripted import Visit, provider, whole

HANDSHAKE = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = asyncio.Event()
        self._go = asyncio.Semaphore(0)

    async def __call__(self, visit: Visit) -> None:
        self.asked.put_nowait(visit.body)
        if visit.body == b"leave":
            await visit.gone()
            self.gone.set()
            return
        await self._go.acquire()
        await visit.send(whole(b"{}"))

    def answer(self) -> None:
        self._go.release()


@contextlib.asynccontextmanager
async def served(script: Any, home: Path, **upstream: Any) -> AsyncIterator[Running]:
    async with provider(script) as base:
        config = settings(base, upstreams={"sandbox": {"base_url": base, **upstream}})
        async with running(config, home) as gateway:
            yield gateway


async def embed(gateway: Running, body: bytes = b"x") -> tuple[int, str | None, str | None]:
    """(Status, the gateway's own reason, when to come again)."""
    async with gateway.http.post(f"{gateway.url}/v1/embeddings", data=body) as answer:
        await answer.read()
        return answer.status, answer.headers.get("x-evogate-error"), answer.headers.get("retry-after")


async def test_beyond_the_limit_they_wait_and_beyond_the_queue_they_are_refused_at_once(tmp_path: Path) -> None:
    slow = Slow()
    async with served(slow, tmp_path, max_concurrency=1, queue=1) as gateway:
        admission = gateway.worker.routes.all["sandbox"].admission
        first = asyncio.create_task(embed(gateway, b"first"))
        assert await slow.asked.get() == b"first"
        second = asyncio.create_task(embed(gateway, b"second"))
        await gateway.until(lambda: admission.waiting == 1)
        status, reason, again = await embed(gateway, b"third")
        assert (status, reason) == (503, "upstream_full")
        assert int(again or 0) >= 1
        assert slow.asked.empty()
        slow.answer()
        assert (await first)[0] == 200
        assert await slow.asked.get() == b"second"
        slow.answer()
        assert (await second)[0] == 200
        assert gateway.core.metrics.errors == {"upstream_full": 1}
        assert admission.available(gateway.core.loop.time())


async def test_who_hangs_up_leaves_the_queue_or_the_call(tmp_path: Path) -> None:
    slow = Slow()
    async with served(slow, tmp_path, max_concurrency=1, queue=2) as gateway:
        admission = gateway.worker.routes.all["sandbox"].admission
        first = asyncio.create_task(embed(gateway, b"leave"))
        await slow.asked.get()
        waiting = [asyncio.create_task(embed(gateway, body)) for body in (b"second", b"third")]
        await gateway.until(lambda: admission.waiting == 2)
        waiting[0].cancel()
        await gateway.until(lambda: admission.waiting == 1)
        first.cancel()
        assert await slow.asked.get() == b"third", "its turn has come, and nobody else's"
        await asyncio.wait_for(slow.gone.wait(), 10)
        slow.answer()
        assert (await waiting[1])[0] == 200
        assert gateway.worker.routes.all["sandbox"].in_flight == 0


async def test_a_body_that_is_still_arriving_waits_with_its_client(tmp_path: Path) -> None:
    slow, whole_body = Slow(), b"u" * 900_000
    async with served(slow, tmp_path, max_concurrency=1, queue=1) as gateway:
        first = asyncio.create_task(embed(gateway))
        await slow.asked.get()
        upload = asyncio.create_task(embed(gateway, whole_body))
        await gateway.until(lambda: gateway.worker.routes.all["sandbox"].admission.waiting == 1)
        for _ in range(2):
            slow.answer()
        assert (await first)[0] == (await upload)[0] == 200
        assert await slow.asked.get() == whole_body


async def test_their_failures_open_the_circuit_for_all(tmp_path: Path) -> None:
    asked: list[bytes] = []

    async def script(visit: Visit) -> None:
        asked.append(visit.body)
        await visit.send(whole(b"{}", b"404 Not Found" if visit.body == b"unknown" else b"500 No"))

    async with served(script, tmp_path, health={"consecutive": 3, "backoff_s": 60}) as gateway:
        assert [(await embed(gateway, b"unknown"))[0] for _ in range(5)] == [404] * 5, "a client's own affair"
        assert [(await embed(gateway))[0] for _ in range(3)] == [500] * 3
        status, reason, again = await embed(gateway)
        assert (status, reason) == (503, "upstream_unhealthy")
        assert int(again or 0) > 1
        assert (await gateway.ask())[0] == 503
        async with gateway.http.get(f"{gateway.url}/v1/models") as answer:
            assert (answer.status, answer.headers["x-evogate-error"]) == (503, "upstream_unhealthy")
            assert (await answer.json())["error"]["code"] == "upstream_unhealthy"
        assert len(asked) == 8


async def test_the_list_of_models_counts_too(tmp_path: Path) -> None:
    slow = Slow()
    async with served(slow, tmp_path, max_concurrency=1, queue=1, health={"consecutive": 2}) as gateway:
        route, url = gateway.worker.routes.all["sandbox"], f"{gateway.url}/v1/models"
        first = asyncio.create_task(embed(gateway))
        await slow.asked.get()
        listed = asyncio.create_task(gateway.http.get(url))
        await gateway.until(lambda: route.admission.waiting == 1)
        listed.cancel()
        await gateway.until(lambda: route.admission.waiting == 0)
        slow.answer()
        await first
        slow.answer()
        async with gateway.http.get(url) as answer:
            assert (answer.status, await answer.json()) == (200, {})
        assert route.in_flight == 0
        assert route.admission.available(gateway.core.loop.time())


async def test_a_circuit_that_they_open_they_close(tmp_path: Path) -> None:
    well = False

    async def script(visit: Visit) -> None:
        await visit.send(whole(b"{}", b"200 OK" if well else b"500 No"))

    async with served(script, tmp_path, health={"consecutive": 2, "backoff_s": 0.5}) as gateway:
        for _ in range(2):
            await embed(gateway)
        assert (await embed(gateway))[1] == "upstream_unhealthy"
        well = True
        health = gateway.worker.routes.all["sandbox"].admission
        await gateway.until(lambda: health.available(gateway.core.loop.time()))
        assert [(await embed(gateway))[0] for _ in range(3)] == [200] * 3


async def test_a_tunnel_leaves_its_place_to_others(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        if b"Upgrade" not in visit.head and b"upgrade" not in visit.head:
            await visit.send(whole(b"{}"))
            return
        await visit.send(SWITCHED)
        await visit.gone()

    async with served(script, tmp_path, max_concurrency=1, queue=0) as gateway:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        route = gateway.worker.routes.all["sandbox"]
        assert [(await embed(gateway))[0] for _ in range(2)] == [200, 200]
        assert route.in_flight == 1
        writer.close()
        await gateway.until(lambda: route.in_flight == 0)
