"""A client that stops sending is answered; one that is gone ends its request. TCP tells both by the same FIN."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.http.messages import Reply, Request
from tests.gateway.http.support import GET, PATIENCE_S, Client, parse_answer, post, serving, settled
from tests.gateway.http.test_server import Held


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
async def port(held: Held) -> AsyncIterator[int]:
    async with serving(held) as server:
        yield server.port


def final(data: bytes) -> bytes:
    """Without the interim answers that probe."""
    while data.startswith(b"HTTP/1.1 100"):
        data = data.partition(b"\r\n\r\n")[2]
    return data


async def test_a_client_that_stopped_sending_is_answered_however_long_it_takes(held: Held, port: int) -> None:
    async with Client.to(port) as client:
        await client.send(post(b"question"))
        client.writer.write_eof()
        _, reply = await held.next()
        await client.until(b"100 Continue\r\n\r\n")
        await asyncio.sleep(0.5)  # several looks at the socket
        reply.send(200, [], b"answer")
        answer = parse_answer(await client.to_end())[0]
        assert (answer.body, answer.header("connection")) == (b"answer", "close")
        assert not held.gone.is_set()


async def test_the_stdlibs_client_skips_the_probe(held: Held, port: int) -> None:
    def ask() -> bytes:
        with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
            sock.sendall(GET)
            sock.shutdown(socket.SHUT_WR)
            received = b""
            while piece := sock.recv(1000):
                received += piece
            return received

    asking = asyncio.create_task(asyncio.to_thread(ask))
    _, reply = await held.next()
    reply.send(200, [], b"answer")
    assert parse_answer(await asking)[0].body == b"answer"


async def test_it_may_stop_in_the_middle_of_a_chunked_answer(held: Held, port: int) -> None:
    for last in (b"", b"rest"):
        async with Client.to(port) as client:
            await client.send(GET)
            _, reply = await held.next()
            reply.start(200, [], None)
            reply.write(b"first")
            await client.until(b"first\r\n")
            client.writer.write_eof()
            probe = await client.reader.readexactly(1)
            reply.end(last)
            received = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + probe + await client.to_end()
            assert parse_answer(received)[0].body == last


async def test_it_may_stop_in_the_middle_of_a_declared_answer(held: Held, port: int) -> None:
    async with Client.to(port) as client:
        await client.send(GET)
        _, reply = await held.next()
        reply.start(200, [], 9)
        reply.write(b"first")
        await client.until(b"first")
        client.writer.write_eof()
        await asyncio.sleep(0.3)
        reply.end(b"last")
        assert await client.to_end() == b"last"


async def test_all_that_it_asked_before_is_answered(held: Held, port: int) -> None:
    async with Client.to(port) as client:
        await client.send(GET * 3)
        client.writer.write_eof()
        for body in (b"1", b"2", b"3"):
            _, reply = await held.next()
            reply.send(200, [], body)
        received = final(await client.to_end())
        for body in (b"1", b"2", b"3"):
            answer, received = parse_answer(final(received))
            assert (answer.body, answer.header("connection")) == (body, "close" if body == b"3" else None)


async def test_an_unfinished_request_behind_is_dropped(held: Held, port: int) -> None:
    async with Client.to(port) as client:
        await client.send(GET + b"GET / HT")
        client.writer.write_eof()
        _, reply = await held.next()
        reply.send(200, [], b"answer")
        assert parse_answer(final(await client.to_end()))[0].body == b"answer"


async def test_a_request_cut_short_has_no_answer(port: int) -> None:
    async with Client.to(port) as client:
        await client.send(post(b"question")[:-1])
        client.writer.write_eof()
        assert await client.to_end() == b""


@pytest.mark.parametrize("started", [True, False])
async def test_a_client_that_closes_after_it_stopped_is_noticed(held: Held, port: int, started: bool) -> None:
    async with Client.to(port) as client:
        await client.send(GET)
        _, reply = await held.next()
        if started:
            reply.start(200, [], None)
        client.writer.write_eof()
        await asyncio.sleep(0.3)
        assert not held.gone.is_set()
        client.transport.abort()
        await settled(lambda: client.reader.at_eof() or client.transport.is_closing())
        if started:
            reply.write(b"more")  # it read the probe: only what is sent from now on tells
            await asyncio.sleep(0)
            reply.write(b"more")
        else:
            reply.probe()
        await asyncio.wait_for(held.gone.wait(), PATIENCE_S)


async def test_http_1_0_can_not_be_probed_and_counts_as_gone(held: Held, port: int) -> None:
    async with Client.to(port) as client:
        await client.send(b"GET / HTTP/1.0\r\n\r\n")
        await held.next()
        client.writer.write_eof()
        await asyncio.wait_for(held.gone.wait(), PATIENCE_S)
        assert await client.to_end() == b""


async def test_a_half_closed_client_that_does_not_read_is_given_up() -> None:
    held = Held()
    async with serving(held, keepalive_s=0.2) as server, Client.to(server.port) as client:
        client.transport.pause_reading()
        await client.send(GET)
        _, reply = await held.next()
        client.writer.write_eof()
        reply.start(200, [], None)
        while not held.gone.is_set():
            reply.write(b"x" * 100_000)
            await asyncio.sleep(0.001)
        await settled(lambda: server.connections == 0)


async def test_an_application_that_answers_at_once() -> None:
    def app(_request: Request, reply: Reply) -> None:
        reply.send(200, [], b"x" * 1_000_000)

    async with serving(app) as server, Client.to(server.port) as client:
        await client.send(GET * 3)
        client.writer.write_eof()
        received = final(await client.to_end())
        for _ in range(3):
            answer, received = parse_answer(final(received))
            assert len(answer.body) == 1_000_000
