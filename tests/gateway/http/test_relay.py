"""Server and pool together, as a plain relay: what must hold from one end to the other."""

import asyncio
import http.client
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.http.server import Server
from loadtests.relay_app import relay_to
from tests.gateway.http.support import (
    GET,
    PATIENCE_S,
    Client,
    Script,
    ScriptedUpstream,
    answering,
    ok,
    parse_answer,
    pool_to,
    post,
    read_request,
    serving,
    settled,
)

CLOSING = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@asynccontextmanager
async def relaying(script: Script, **settings: Any) -> AsyncIterator[tuple[Server, ScriptedUpstream]]:
    async with (
        ScriptedUpstream.running(script) as upstream,
        pool_to(upstream.port, **settings) as pool,
        serving(relay_to(pool, "http://x/base/")) as server,
    ):
        yield server, upstream


async def test_bytes_pass_unchanged_in_both_directions() -> None:
    asked: list[bytes] = []
    answer = ok(b"\x00\xff" * 1000, b"x-B: 1\r\nX-RateLimit-Left: 2\r\nx-B: 3\r\n")

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await read_request(reader))
        writer.write(answer)

    async with relaying(script) as (server, upstream), Client.to(server.port) as client:
        await client.send(
            post(b'{"a": 1 }', b"/v1/x?y=%20z", b"X-a: b\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\n")
        )
        received = await client.until(b"\r\n\r\n") + await client.reader.readexactly(2000)
        assert received == answer
        assert asked == [
            b"POST /base/v1/x?y=%%20z HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-a: b\r\nContent-Length: 9\r\n\r\n"
            % upstream.port
            + b'{"a": 1 }'
        ]


async def test_a_stream_is_passed_on_piece_by_piece() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED)
        for piece in (b"one", b"two", b"three"):
            await go_on.wait()
            go_on.clear()
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        writer.write(b"0\r\n\r\n")

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        await client.send(GET)
        assert b"Transfer-Encoding: chunked" in await client.until(b"\r\n\r\n")
        for piece in (b"one", b"two", b"three"):
            go_on.set()
            assert await client.until(piece + b"\r\n") == b"%x\r\n%b\r\n" % (len(piece), piece)
        assert await client.until(b"0\r\n\r\n") == b"0\r\n\r\n"


@pytest.mark.parametrize("answer", [ok(b"abcdef")[:-2], CHUNKED + b"3\r\nabc\r\n"])
async def test_an_answer_cut_short_never_looks_whole(answer: bytes) -> None:
    async with relaying(answering(answer)) as (server, _), Client.to(server.port) as client:
        await client.send(GET)
        received = await client.to_end()
        assert received.startswith(b"HTTP/1.1 200 OK")
        with pytest.raises(http.client.IncompleteRead):
            parse_answer(received)


async def test_an_answer_without_a_length_becomes_chunked() -> None:
    script = answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close")
    async with relaying(script) as (server, _), Client.to(server.port) as client:
        await client.send(GET)
        answer = parse_answer(await client.until(b"0\r\n\r\n"))[0]
        assert (answer.body, answer.header("connection")) == (b"until close", None)


async def test_head_is_answered_with_the_length_and_no_body() -> None:
    bodiless = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    async with relaying(answering(bodiless, ok())) as (server, _), Client.to(server.port) as client:
        await client.send(GET.replace(b"GET", b"HEAD") + GET)
        assert await client.until(b"\r\n\r\n") == bodiless
        assert (await client.answer()).body == b"fine"


async def test_a_client_that_hangs_up_ends_the_call_upstream() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(CHUNKED + b"3\r\nabc\r\n")
        await reader.read()

    async with relaying(script) as (server, upstream):
        async with Client.to(server.port) as client:
            await client.send(GET)
            await client.until(b"abc")
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)


async def test_a_slow_reader_holds_the_upstream_back() -> None:
    size, sent = 60_000_000, 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 100_000):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with relaying(script) as (server, _), Client.to(server.port) as client:
        client.transport.pause_reading()
        await client.send(CLOSING)
        connection = None

        def held() -> bool:
            nonlocal connection
            connection = next(iter(server._connections), None)
            return connection is not None and connection._paused

        await settled(held)
        assert connection is not None
        assert connection._transport.get_write_buffer_size() < 1_000_000
        assert sent < size
        client.transport.resume_reading()
        received = await client.to_end()
        assert len(received.partition(b"\r\n\r\n")[2]) == size


async def test_an_upstream_that_is_not_there_is_a_502_that_says_so() -> None:
    async with pool_to(1) as pool, serving(relay_to(pool, "http://x")) as server, Client.to(server.port) as client:
        await client.send(GET)
        answer = await client.answer()
        assert (answer.status, answer.header("x-evogate-error")) == (502, "connect")
