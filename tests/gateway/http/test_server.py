import asyncio
import socket
import struct

import pytest

from config.gateway import Limits
from gateway.http.client_connection import WRITE_BUFFER_BYTES
from gateway.http.framing import Headers
from gateway.http.messages import HttpError, Reply, Request
from gateway.http.server import serve
from tests.gateway.http.support import GET, PATIENCE_S, Client, parse_answer, post, serving, settled, speaks_ipv6


def echo(request: Request, reply: Reply) -> None:
    """Answers before it returns."""
    reply.send(200, [(b"X-Method", request.method)], request.body)


class Held:
    """An application that leaves the answers to the test."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[tuple[Request, Reply]] = asyncio.Queue()
        self.gone = asyncio.Event()

    def __call__(self, request: Request, reply: Reply) -> None:
        reply.on_gone = self.gone.set
        self.arrived.put_nowait((request, reply))

    async def next(self) -> tuple[Request, Reply]:
        return await asyncio.wait_for(self.arrived.get(), PATIENCE_S)


async def test_requests_on_one_connection() -> None:
    async with serving(echo) as server, Client.to(server.port) as client:
        for body in (b"one", b"", b"x" * 300_000):
            await client.send(post(body))
            answer = await client.answer()
            assert (answer.status, answer.body) == (200, body)
        assert server.connections == 1
    assert server.connections == 0


async def test_byte_by_byte() -> None:
    async with serving(echo) as server, Client.to(server.port) as client:
        for byte in post(b"slow"):
            await client.send(bytes([byte]))
        assert (await client.answer()).body == b"slow"


async def test_pipelined_requests_are_answered_in_order_one_at_a_time() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        await client.send(post(b"1") + post(b"2") + GET)
        _, first = await held.next()
        assert held.arrived.empty()
        first.send(200, [], b"first")
        _, second = await held.next()
        second.start(200, [], 6)
        second.write(b"sec")
        assert held.arrived.empty()
        second.end(b"ond")
        request, third = await held.next()
        third.send(200, [], b"third")
        assert request.method == b"GET"
        assert [(await client.answer()).body for _ in range(3)] == [b"first", b"second", b"third"]


async def test_a_thousand_pipelined_requests_answered_at_once() -> None:
    async with serving(echo) as server, Client.to(server.port) as client:
        await client.send(b"".join(post(b"%d" % i) for i in range(1000)))
        assert [(await client.answer()).body for i in range(1000)] == [b"%d" % i for i in range(1000)]


async def test_reading_stops_while_many_wait_and_goes_on() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        sending = asyncio.create_task(client.send(post(b"x" * 20_000) * 1000))
        answered = 0
        _, reply = await held.next()
        connection = next(iter(server._connections))
        await settled(lambda: not connection._reading)
        assert not sending.done()
        while True:
            reply.send(200, [], b"")
            answered += 1
            if answered == 1000:
                break
            _, reply = await held.next()
        await asyncio.wait_for(sending, PATIENCE_S)
        assert (await client.answer()).status == 200


async def test_a_bad_request_behind_a_good_one_waits_for_its_turn() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        await client.send(GET + b"nonsense\r\n\r\n")
        _, reply = await held.next()
        reply.send(200, [], b"good")
        assert (await client.answer()).body == b"good"
        refused = await client.answer()
        assert (refused.status, refused.header("connection")) == (400, "close")
        assert (refused.header("x-evogate-error"), refused.header("content-type")) == (
            "malformed_request",
            "application/json",
        )
        assert await client.to_end() == b""


async def test_a_body_too_large_is_refused_so_that_the_sender_can_read_why() -> None:
    async with serving(echo, body_bytes=100_000) as server, Client.to(server.port) as client:
        client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(40):
            client.writer.write(b"2000\r\n" + b"x" * 0x2000 + b"\r\n")
        assert (await client.answer()).status == 413


async def test_100_continue_is_sent_when_the_body_is_waited_for() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    async with serving(echo, body_bytes=1024) as server:
        async with Client.to(server.port) as client:
            await client.send(head)
            assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            await client.send(b"body")
            assert (await client.answer()).body == b"body"
            await client.send(head + b"now!")
            assert (await client.answer()).body == b"now!"
        async with Client.to(server.port) as client:
            await client.send(head.replace(b"Length: 4", b"Length: 4000"))
            assert (await client.answer()).status == 413


async def test_100_continue_waits_for_the_answer_before_it() -> None:
    held = Held()
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"
    async with serving(held) as server, Client.to(server.port) as client:
        await client.send(GET + head)
        _, reply = await held.next()
        reply.send(200, [], b"first")
        assert (await client.answer()).body == b"first"
        assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"


async def test_http_1_0_closes_unless_asked_not_to() -> None:
    async with serving(echo) as server:
        async with Client.to(server.port) as client:
            await client.send(b"GET / HTTP/1.0\r\n\r\n")
            assert parse_answer(await client.to_end())[0].header("connection") == "close"
        async with Client.to(server.port) as client:
            await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" * 2)
            assert [(await client.answer()).status for _ in range(2)] == [200, 200]


async def test_a_client_that_closes_its_side_still_gets_an_answer_that_is_ready() -> None:
    async with serving(echo) as server, Client.to(server.port) as client:
        await client.send(post(b"x" * 500_000))
        client.writer.write_eof()
        assert parse_answer(await client.to_end())[0].body == b"x" * 500_000


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("started", [True, False])
async def test_a_client_that_hangs_up_is_noticed_at_once(how: str, started: bool) -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        await client.send(GET)
        _, reply = await held.next()
        if started:
            reply.start(200, [], None)
            await client.until(b"\r\n\r\n")
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.transport.abort()
        await asyncio.wait_for(held.gone.wait(), PATIENCE_S)
        await settled(lambda: server.connections == 0)
        reply.write(b"late")
        reply.end()


async def test_a_slow_reader_is_told_of_and_memory_stays_bounded() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        client.transport.pause_reading()
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        _, reply = await held.next()
        paused, resumed = asyncio.Event(), asyncio.Event()
        reply.on_pause, reply.on_resume = paused.set, resumed.set
        reply.start(200, [], None)
        sent = 0
        while not paused.is_set():
            reply.write(b"x" * 10_000)
            sent += 10_000
            await asyncio.sleep(0)
            assert sent < 50_000_000
        transport = next(iter(server._connections))._transport
        assert transport.get_write_buffer_size() < WRITE_BUFFER_BYTES + 20_000
        client.transport.resume_reading()
        reading = asyncio.create_task(client.to_end())
        await asyncio.wait_for(resumed.wait(), PATIENCE_S)
        reply.end()
        assert parse_answer(await reading)[0].body == b"x" * sent


async def test_the_next_request_waits_until_the_answer_before_it_is_read() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        client.transport.pause_reading()
        await client.send(GET + GET)
        _, reply = await held.next()
        reply.send(200, [], b"x" * 20_000_000)
        assert next(iter(server._connections))._paused
        assert held.arrived.empty()
        client.transport.resume_reading()
        assert len((await client.answer()).body) == 20_000_000
        _, reply = await held.next()
        reply.send(200, [], b"next")
        assert (await client.answer()).body == b"next"


async def test_a_reader_that_has_stopped_is_given_up() -> None:
    held = Held()
    async with serving(held, keepalive_s=0.2) as server, Client.to(server.port) as client:
        client.transport.pause_reading()
        await client.send(GET)
        _, reply = await held.next()
        reply.start(200, [], None)
        while not held.gone.is_set():
            reply.write(b"x" * 100_000)
            await asyncio.sleep(0.001)
        await settled(lambda: server.connections == 0)


@pytest.mark.parametrize("start", [b"GET / HT", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"])
async def test_a_request_that_stays_unfinished_is_refused(start: bytes) -> None:
    async with serving(echo, header_timeout_s=0.1) as server, Client.to(server.port) as client:
        await client.send(start)
        assert (await client.answer()).status == 408
        assert await client.to_end() == b""


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nX: ", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n"]
)
async def test_a_drip_is_not_progress(start: bytes) -> None:
    async with serving(echo, header_timeout_s=0.1) as server, Client.to(server.port) as client:
        await client.send(start)
        answering = asyncio.create_task(client.answer())
        while not answering.done():
            await client.send(b"x")
            await asyncio.sleep(0.01)
        assert (await answering).status == 408


async def test_a_body_that_keeps_coming_has_all_the_time_it_needs() -> None:
    async with serving(echo, header_timeout_s=0.1) as server, Client.to(server.port) as client:
        await client.send(post(b"")[:-5] + b"50000\r\n\r\n")
        for _ in range(50):  # five times the timeout
            await client.send(b"x" * 1000)
            await asyncio.sleep(0.01)
        assert (await client.answer()).status == 200


async def test_a_head_begun_behind_an_answer_has_its_deadline_too() -> None:
    held = Held()
    async with serving(held, header_timeout_s=0.1) as server, Client.to(server.port) as client:
        await client.send(GET + b"GET / HT")
        _, reply = await held.next()
        reply.send(200, [], b"")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 408


@pytest.mark.parametrize("asked", [True, False])
async def test_an_idle_connection_is_closed_without_a_word(asked: bool) -> None:
    async with serving(echo, keepalive_s=0.1, header_timeout_s=0.1) as server, Client.to(server.port) as client:
        if asked:
            await client.send(GET)
            await client.answer()
        assert await client.to_end() == b""


async def test_one_connection_too_many_is_told_so() -> None:
    async with serving(echo, connections=1) as server, Client.to(server.port) as client:
        await client.send(GET)
        assert (await client.answer()).status == 200
        async with Client.to(server.port) as other:
            refused = await other.answer()
            assert (refused.status, refused.header("x-evogate-error")) == (503, "too_many_connections")
        await settled(lambda: server.connections == 1)
        await client.send(GET)
        assert (await client.answer()).status == 200


@pytest.mark.parametrize("started", [True, False])
async def test_a_fault_of_the_application_is_an_answer_or_a_visible_cut(
    started: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def faulty(_request: Request, reply: Reply) -> None:
        if started:
            reply.start(200, [], None)
        raise KeyError("bug")

    async with serving(faulty) as server, Client.to(server.port) as client:
        await client.send(GET)
        if started:
            assert b"0\r\n\r\n" not in await client.to_end()
        else:
            assert (await client.answer()).status == 500
    assert "bug" in caplog.text


async def test_draining_closes_the_idle_and_lets_running_answers_end() -> None:
    def late(_request: Request, reply: Reply) -> None:
        reply.send(503, [], b"late")

    held = Held()
    async with serving(held, late=late) as server, Client.to(server.port) as idle, Client.to(server.port) as busy:
        await settled(lambda: server.connections == 2)
        await busy.send(GET)
        _, reply = await held.next()
        draining = asyncio.create_task(server.drain(PATIENCE_S))
        assert await idle.to_end() == b""
        for _ in range(2):
            async with Client.to(server.port) as other:
                await other.send(GET)
                told = parse_answer(await other.to_end())[0]
                assert (told.status, told.body, told.header("connection")) == (503, b"late", "close")
        assert not draining.done()
        async with Client.to(server.port) as silent, Client.to(server.port) as slow:
            await slow.send(GET[:5])
            await settled(lambda: server.connections == 3)
            reply.send(200, [], b"last")
            assert (await silent.to_end(), await slow.to_end()) == (b"", b"")
        answer = parse_answer(await busy.to_end())[0]
        assert (answer.body, answer.header("connection")) == (b"last", "close")
        await asyncio.wait_for(draining, PATIENCE_S)
        with pytest.raises(OSError, match="Connect"):
            async with Client.to(server.port):
                pass


async def test_draining_ends_after_its_grace() -> None:
    held = Held()
    async with serving(held) as server, Client.to(server.port) as client:
        await client.send(GET)
        await held.next()
        await server.drain(0.05)
        assert held.gone.is_set()
        assert server.connections == 0


@pytest.mark.skipif(not speaks_ipv6(), reason="no IPv6 loopback here")
async def test_it_listens_on_ipv6_too() -> None:
    peers: list[str] = []

    def app(request: Request, reply: Reply) -> None:
        peers.append(request.peer)
        reply.send(200, [], b"six")

    server = await serve(app, host="::1", port=0, limits=Limits())
    async with Client.to(server.port, "::1") as client:
        await client.send(GET.replace(b"here", b"[::1]:%d" % server.port))
        assert (await client.answer()).body == b"six"
    await server.close()
    assert peers == ["::1"]


async def test_small_writes_are_not_delayed() -> None:
    async with serving(echo) as server, Client.to(server.port):
        await settled(lambda: server.connections == 1)
        transport = next(iter(server._connections))._transport
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_refusals_are_observed_and_labelled() -> None:
    seen: list[str] = []

    def on_refused(error: HttpError) -> Headers:
        seen.append(error.reason)
        return [(b"x-evogate-request-id", b"7")]

    server = await serve(echo, host="127.0.0.1", port=0, limits=Limits(), on_refused=on_refused)
    async with Client.to(server.port) as client:
        await client.send(b"nonsense\r\n\r\n")
        assert (await client.answer()).header("x-evogate-request-id") == "7"
    await server.close()
    assert seen == ["malformed_request"]
