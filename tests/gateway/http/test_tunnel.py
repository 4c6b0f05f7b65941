"""WebSockets through the relay: raw bytes, and aiohttp's client and server at the two ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.gateway import Limits
from gateway.http.server import Server, serve
from gateway.http.tunnel import WRITE_BUFFER_BYTES
from gateway.http.upstream import Pool
from loadtests.relay_app import relay_to
from tests.gateway.http.support import GET, PATIENCE_S, Client, Script, ScriptedUpstream, ok, pool_to, settled

OFFER = (
    b"GET /v1/realtime?model=x HTTP/1.1\r\nHost: here\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


@asynccontextmanager
async def tunnelling(script: Script, **limits: Any) -> AsyncIterator[tuple[Server, ScriptedUpstream, Pool]]:
    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        server = await serve(relay_to(pool, "http://x"), host="127.0.0.1", port=0, limits=Limits(**limits))
        try:
            yield server, upstream, pool
        finally:
            await server.close()


def switching(heads: list[bytes] | None = None, early: bytes = b"") -> Script:
    """Switch, then give back what comes."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if heads is not None:
            heads.append(head)
        writer.write(SWITCHED + early)
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    return script


async def switched(client: Client) -> bytes:
    await client.send(OFFER)
    return await client.until(b"\r\n\r\n")


async def test_heads_pass_with_the_offer_and_bytes_pass_both_ways() -> None:
    heads: list[bytes] = []
    async with tunnelling(switching(heads)) as (server, upstream, _), Client.to(server.port) as client:
        assert await switched(client) == (
            b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        )
        assert heads == [
            b"GET /v1/realtime?model=x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
            % upstream.port
        ]
        for data in (b"hello", GET, b"\x00\xff" * 200_000):
            await client.send(data)
            assert await client.reader.readexactly(len(data)) == data


@pytest.mark.parametrize("together", [True, False])
async def test_bytes_that_come_early_are_not_lost(together: bool) -> None:
    async with (
        tunnelling(switching(early=b"from upstream ")) as (server, _, _),
        Client.to(server.port) as client,
    ):
        await client.send(OFFER + b"from client" if together else OFFER)
        if not together:
            await client.send(b"from client")
        await client.until(b"\r\n\r\n")
        assert await client.until(b"from client") == b"from upstream from client"


async def test_early_bytes_are_bounded() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with tunnelling(silent) as (server, _, _), Client.to(server.port) as client:
        await client.send(OFFER)
        sending = asyncio.create_task(client.send(b"x" * 30_000_000))
        await settled(lambda: any(not c._reading for c in server._connections))
        assert len(next(iter(server._connections))._parser.rest) < 500_000
        sending.cancel()


async def test_an_upstream_that_declines_is_heard_and_the_connection_closes() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ok(b"no").replace(b"200 OK", b"403 Forbidden"))

    async with tunnelling(script) as (server, _, _), Client.to(server.port) as client:
        await client.send(OFFER + GET)
        answer = await client.answer()
        assert (answer.status, answer.body, answer.header("connection")) == (403, b"no", "close")
        assert await client.to_end() == b""


@pytest.mark.parametrize("who", ["client", "upstream", "reset"])
async def test_what_closes_one_side_closes_the_other(who: str) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCHED + b"last words")
        if who != "upstream":
            await reader.read()

    async with tunnelling(script) as (server, upstream, pool):
        async with Client.to(server.port) as client:
            await switched(client)
            if who == "upstream":
                assert await client.to_end() == b"last words"
            elif who == "reset":
                client.transport.abort()
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)
        await settled(lambda: server.connections == 0 and pool.open == 0)


async def test_a_client_that_hangs_up_before_the_switch_ends_the_call() -> None:
    async def script(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await reader.read()

    async with tunnelling(script) as (server, upstream, _):
        async with Client.to(server.port) as client:
            await client.send(OFFER)
            await settled(lambda: upstream.opened == 1)
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)


@pytest.mark.parametrize("reader_is", ["client", "upstream"])
async def test_a_side_that_does_not_read_holds_the_other_back(reader_is: str) -> None:
    size, sent = 60_000_000, 0
    go_on = asyncio.Event()

    async def pour(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(SWITCHED)
        if reader_is == "client":
            await pour(writer)
            await reader.read()
        else:
            await go_on.wait()
            await reader.readexactly(size)

    async with tunnelling(script) as (server, upstream, pool), Client.to(server.port) as client:
        await switched(client)
        near, far = next(iter(server._connections))._transport, next(iter(pool._connections))._transport
        assert far is not None
        slow, fast = (near, far) if reader_is == "client" else (far, near)
        pouring = None
        if reader_is == "client":
            client.transport.pause_reading()
        else:
            pouring = asyncio.create_task(pour(client.writer))
        await settled(lambda: not fast.is_reading())
        assert slow.get_write_buffer_size() <= WRITE_BUFFER_BYTES + 262_144
        assert sent < size
        if reader_is == "client":
            client.transport.resume_reading()
            await asyncio.wait_for(client.reader.readexactly(size), PATIENCE_S)
        else:
            go_on.set()
            await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)
        if pouring is not None:
            await pouring


async def test_an_idle_tunnel_is_cut_and_a_busy_one_is_not() -> None:
    async with (
        tunnelling(switching(), tunnel_idle_s=0.3) as (server, upstream, _),
        Client.to(server.port) as client,
    ):
        await switched(client)
        for _ in range(10):
            await client.send(b"ping")
            assert await client.until(b"ping") == b"ping"
            await asyncio.sleep(0.1)
        assert await client.to_end() == b""
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)


async def test_draining_waits_for_a_tunnel_and_cuts_it_after_the_grace() -> None:
    async with tunnelling(switching()) as (server, upstream, _), Client.to(server.port) as client:
        await switched(client)
        draining = asyncio.create_task(server.drain(0.5))
        await client.send(b"still here")
        assert await client.until(b"here") == b"still here"
        assert not draining.done()
        await asyncio.wait_for(draining, PATIENCE_S)
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)


async def test_real_clients_and_servers() -> None:
    async def realtime(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("realtime",))
        await socket.prepare(request)
        await socket.send_json({"key": request.headers["Authorization"], "path": request.path_qs})
        async for message in socket:
            await socket.send_str(message.data[::-1])
        return socket

    app = web.Application()
    app.router.add_get("/base/v1/realtime", realtime)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with pool_to(port) as pool, aiohttp.ClientSession() as session:
        server = await serve(relay_to(pool, "http://x/base"), host="127.0.0.1", port=0, limits=Limits())
        url = f"ws://127.0.0.1:{server.port}/v1/realtime?model=m"
        async with session.ws_connect(url, headers={"Authorization": "Bearer k"}, protocols=("realtime",)) as socket:
            assert socket.protocol == "realtime"
            hello = await socket.receive_json(timeout=PATIENCE_S)
            assert hello == {"key": "Bearer k", "path": "/base/v1/realtime?model=m"}
            for text in ("abc", "x" * 300_000 + "y"):
                await socket.send_str(text)
                assert await socket.receive_str(timeout=PATIENCE_S) == text[::-1]
        assert socket.close_code == 1000
        await settled(lambda: server.connections == 0 and pool.open == 0)
        await server.close()
    await runner.cleanup()
