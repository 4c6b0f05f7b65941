"""Bodies that go on as they arrive: a server that passes them, a pool that sends them, and what ends in the middle."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.gateway import Limits
from gateway.http.incoming import HELD_BYTES, Incoming
from gateway.http.messages import Request
from gateway.http.request_parser import RequestParser
from gateway.http.server import Server, serve
from loadtests.relay_app import relay_to
from tests.gateway.http.support import (
    GET,
    PATIENCE_S,
    Client,
    Script,
    ScriptedUpstream,
    ok,
    pool_to,
    post,
    settled,
)

PIECE = bytes(range(256)) * 256  # 64 KiB
CHUNKED = b"POST /v1/files HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"


def head(length: int, extra: bytes = b"") -> bytes:
    return b"POST /v1/files HTTP/1.1\r\nHost: here\r\n%bContent-Length: %d\r\n\r\n" % (extra, length)


@asynccontextmanager
async def relaying(
    script: Script, upstream: dict[str, Any] | None = None, **limits: Any
) -> AsyncIterator[tuple[Server, ScriptedUpstream]]:
    async with ScriptedUpstream.running(script) as provider, pool_to(provider.port, **(upstream or {})) as pool:
        app = relay_to(pool, "http://x")
        server = await serve(
            app, host="127.0.0.1", port=0, limits=Limits(**limits), passes=lambda request: request.path == b"/v1/files"
        )
        try:
            yield server, provider
        finally:
            await server.close()


async def head_of(reader: asyncio.StreamReader) -> bytes:
    return await reader.readuntil(b"\r\n\r\n")


async def test_a_piece_arrives_before_the_next_is_sent() -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(await head_of(reader))
        for _ in range(2):
            seen.put_nowait(await reader.readexactly(3))
        writer.write(ok())

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        await client.send(head(6))
        assert b"Content-Length: 6\r\n" in await asyncio.wait_for(seen.get(), PATIENCE_S)
        for piece in (b"one", b"two"):
            await client.send(piece)
            assert await asyncio.wait_for(seen.get(), PATIENCE_S) == piece
        assert (await client.answer()).body == b"fine"
        await client.send(post(b"small", b"/other"))  # the connection goes on


async def test_a_chunked_body_stays_chunked() -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.put_nowait(await head_of(reader))
        seen.put_nowait(await reader.readuntil(b"one\r\n"))
        seen.put_nowait(await reader.readuntil(b"0\r\n\r\n"))
        writer.write(ok())

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        await client.send(CHUNKED + b"3\r\none\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in await asyncio.wait_for(seen.get(), PATIENCE_S)
        assert await asyncio.wait_for(seen.get(), PATIENCE_S) == b"3\r\none\r\n"
        await client.send(b"3;x=y\r\ntwo\r\n0\r\nTrailer: 1\r\n\r\n")
        assert await asyncio.wait_for(seen.get(), PATIENCE_S) == b"3\r\ntwo\r\n0\r\n\r\n"
        assert (await client.answer()).status == 200


async def test_a_slow_provider_stops_the_reading() -> None:
    go_on = asyncio.Event()
    size = 64 << 20

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()
        taken = 0
        while taken < size:
            taken += len(await reader.read(1 << 20))
        writer.write(ok(b"%d" % taken))

    async def flood(client: Client, sent: list[int]) -> None:
        await client.send(head(size))
        for _ in range(size // len(PIECE)):
            await client.send(PIECE)
            sent[0] += len(PIECE)

    async with relaying(script, body_bytes=1024) as (server, _), Client.to(server.port) as client:
        sent = [0]
        flooding = asyncio.create_task(flood(client, sent))
        before = -1
        while before != sent[0]:  # until nothing moves any more
            before = sent[0]
            await asyncio.sleep(0.2)
        assert 0 < sent[0] < size // 2  # what sockets hold, and no more
        go_on.set()
        await asyncio.wait_for(flooding, PATIENCE_S)
        assert (await client.answer()).body == b"%d" % size


async def test_100_continue_is_said_when_the_provider_is_there() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert b"Expect" not in await head_of(reader)
        writer.write(ok(await reader.readexactly(4)))

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        await client.send(head(4, b"Expect: 100-continue\r\n"))
        assert b" 100 " in await client.until(b"\r\n\r\n")
        await client.send(b"body")
        assert (await client.answer()).body == b"body"


async def test_no_provider_no_body() -> None:
    async with pool_to(1) as pool:
        server = await serve(
            relay_to(pool, "http://x"), host="127.0.0.1", port=0, limits=Limits(), passes=lambda _: True
        )
        async with Client.to(server.port) as client:
            await client.send(head(4, b"Expect: 100-continue\r\n"))
            answer = await client.to_end()
        await server.close()
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"Connection: close" in answer


@pytest.mark.parametrize("lingers", [True, False])
async def test_an_answer_before_the_body_is_whole(*, lingers: bool) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await reader.readexactly(100)
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge")
        await writer.drain()
        if lingers:
            while await reader.read(1 << 20):
                pass

    async with relaying(script) as (server, provider), Client.to(server.port) as client:
        await client.send(head(64 << 20) + PIECE)
        flooding = asyncio.create_task(client.send(PIECE * 100))
        answer = await client.to_end()
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert answer.endswith(b"large")
        assert b"Connection: close" in answer
        await asyncio.wait_for(provider.all_closed.wait(), PATIENCE_S)
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


@pytest.mark.parametrize("sent", [head(100) + b"some", CHUNKED + b"4\r\nsome\r\n"])
@pytest.mark.parametrize("how", ["aborts", "stops sending"])
async def test_a_client_that_gives_up_cancels(sent: bytes, how: str) -> None:
    begun = asyncio.Event()
    left = b""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        await head_of(reader)
        await reader.readuntil(b"some")
        begun.set()
        left = await reader.read()

    async with relaying(script) as (server, provider), Client.to(server.port) as client:
        await client.send(sent)
        await asyncio.wait_for(begun.wait(), PATIENCE_S)
        if how == "aborts":
            client.transport.abort()
        else:
            client.writer.write_eof()
        await asyncio.wait_for(provider.all_closed.wait(), PATIENCE_S)
        await settled(lambda: server.connections == 0)
        assert b"0\r\n\r\n" not in left  # nothing that looks like an end


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (CHUNKED + b"3\r\none\r\nnonsense\r\n", b"400"),
        (CHUNKED + b"%x\r\n" % 5000 + b"x" * 5000 + b"\r\n", b"413"),
        (head(5000), b"413"),
        (head(4000), b"408"),
    ],
)
async def test_a_body_that_is_not_what_it_should_be(sent: bytes, status: bytes) -> None:
    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with (
        relaying(script, upload_bytes=4096, header_timeout_s=0.3) as (server, provider),
        Client.to(server.port) as client,
    ):
        await client.send(sent[:100])
        await settled(lambda: provider.opened == 1 or server.connections == 0 or status == b"413")
        await client.send(sent[100:])
        assert (await client.to_end()).startswith(b"HTTP/1.1 %b " % status)
        if provider.opened:
            await asyncio.wait_for(provider.all_closed.wait(), PATIENCE_S)


async def test_a_provider_that_takes_nothing_times_out() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await head_of(reader)
        await go_on.wait()

    async with relaying(script, {"first_byte_timeout_s": 0.3}) as (server, _), Client.to(server.port) as client:
        await client.send(head(64 << 20))
        flooding = asyncio.create_task(client.send(PIECE * 1000))
        answer = await client.to_end()
        assert answer.startswith(b"HTTP/1.1 502 ")
        assert b"timeout_first_byte" in answer
        go_on.set()
        flooding.cancel()
        await asyncio.gather(flooding, return_exceptions=True)


async def test_an_upload_behind_another_request_waits_without_being_read_whole() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (await head_of(reader)).startswith(b"GET"):
            await go_on.wait()
            writer.write(ok(b"first"))
        else:
            writer.write(ok(b"%d" % len(await reader.readexactly(100 * len(PIECE)))))

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        sending = asyncio.create_task(client.send(GET + head(100 * len(PIECE)) + 100 * PIECE))
        await asyncio.sleep(0)
        go_on.set()
        assert (await client.answer()).body == b"first"
        assert (await client.answer()).body == b"%d" % (100 * len(PIECE))
        await sending


async def test_it_takes_no_used_connection_and_makes_room_for_itself() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            request = await head_of(reader)
            if b"Content-Length: 5" in request:
                await reader.readexactly(5)
            writer.write(ok())

    async with relaying(script, {"max_connections": 1}) as (server, provider), Client.to(server.port) as client:
        await client.send(GET)
        await client.answer()
        await client.send(head(5) + b"wh")
        await settled(lambda: provider.opened == 2)
        await client.send(b"ole")
        assert (await client.answer()).status == 200


def passed(data: bytes, cuts: list[int]) -> list[tuple[bytes, bytes]]:
    """The requests of a connection, with the bodies that went on, and what is wrong in the end."""
    parser = RequestParser(Limits(body_bytes=1024), passes=lambda request: request.path == b"/v1/files")
    found: list[tuple[Request, list[bytes]]] = []
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, stop in pairwise(places):
        for request in parser.feed(data[start:stop]):
            taken = [request.body]
            if request.incoming is not None:
                request.incoming.length = 0  # as it is, without chunks of our own
                request.incoming.begin(taken.append)
            found.append((request, taken))
        for request, _ in found:
            if request.incoming is not None:
                request.incoming.flow()
    assert parser.error is None
    assert all(request.incoming is None or request.incoming.whole for request, _ in found)
    return [(request.target, b"".join(taken)) for request, taken in found]


@given(st.lists(st.integers(min_value=0), max_size=8), st.binary(max_size=300))
def test_any_split_gives_the_same_bodies(cuts: list[int], body: bytes) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    data = head(len(body)) + body + post(body) + CHUNKED + chunks + b"0\r\n\r\n" + GET
    expected = [(b"/v1/files", body), (b"/v1/chat/completions", body), (b"/v1/files", body), (b"/", b"")]
    assert passed(data, cuts) == expected


def test_what_is_held_is_counted() -> None:
    incoming, sent = Incoming(None), list[bytes]()
    seen = []
    incoming.push(b"x" * (HELD_BYTES - 1))
    seen.append(incoming.full)
    incoming.push(b"x")
    seen.append(incoming.full)
    incoming.begin(sent.append)
    seen.append(incoming.full)
    incoming.pause()
    seen.append(incoming.full)
    assert seen == [False, True, False, True]
    incoming.push(b"y")
    incoming.finish()
    incoming.flow()
    assert len(sent) == 1
    incoming.resume()
    incoming.flow()
    assert sent[1:] == [b"1\r\ny\r\n0\r\n\r\n"]
