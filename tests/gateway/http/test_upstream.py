import asyncio
import socket
from typing import Any

import pytest

from config.upstreams import Upstream
from gateway.http.calls import Call, Sink
from gateway.http.errors import KINDS, UpstreamError
from gateway.http.framing import Headers
from gateway.http.upstream import Pool
from policies.errors import OperatorError
from tests.gateway.http.support import (
    PATIENCE_S,
    ScriptedUpstream,
    Sunk,
    answering,
    ok,
    pool_to,
    read_request,
    settled,
    speaks_ipv6,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def ask(pool: Pool, sink: Sink, body: bytes = b"hi") -> Call:
    return pool.call(b"POST", b"/v1/x", [(b"X-a", b"b")], body, sink)


async def outcome(pool: Pool) -> Sunk:
    sink = Sunk()
    ask(pool, sink)
    return await sink.wait()


async def forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never answers; ends when the other side closes."""
    while await reader.read(65_536):
        pass


def saying(*pieces: bytes, hang: bool = False) -> ScriptedUpstream:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if hang:
            await forever(reader, writer)

    return ScriptedUpstream(script)


async def test_a_call_up_and_its_answer_down() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(ok(b"answer", b"x-B: 1\r\nX-b: 2\r\n"))

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        sink = await outcome(pool)
    host = b"Host: 127.0.0.1:%d\r\n" % upstream.port
    assert got == [b"POST /v1/x HTTP/1.1\r\n" + host + b"X-a: b\r\nContent-Length: 2\r\n\r\nhi"]
    assert (sink.status, sink.body, sink.ended) == (200, b"answer", True)
    assert sink.headers == [(b"x-B", b"1"), (b"X-b", b"2"), (b"Content-Length", b"6")]


async def test_connections_are_kept_and_the_last_used_is_taken_first() -> None:
    async with ScriptedUpstream.running(answering(*[ok()] * 9)) as upstream, pool_to(upstream.port) as pool:
        both = Sunk(), Sunk()
        for sink in both:
            ask(pool, sink)
        for sink in both:
            await sink.wait()
        assert (upstream.opened, pool.idle) == (2, 2)
        last = next(reversed(pool._idle))
        await outcome(pool)
        assert (upstream.opened, pool.idle) == (2, 2)
        assert next(reversed(pool._idle)) is last
        assert last._served == 2


@pytest.mark.parametrize(
    "answer",
    [ok(extra=b"Connection: close\r\n"), ok() + b"more", b"HTTP/1.1 200 OK\r\n\r\nuntil close"],
)
async def test_only_a_clean_answer_leaves_a_connection_fit_for_reuse(answer: bytes) -> None:
    async with ScriptedUpstream.running(answering(answer)) as upstream, pool_to(upstream.port) as pool:
        assert (await outcome(pool)).ended
        assert (pool.idle, pool.open) == (0, 0)


async def test_an_upstream_that_closes_an_idle_connection_costs_nothing() -> None:
    async with ScriptedUpstream.running(answering(ok())) as upstream, pool_to(upstream.port) as pool:
        for opened in (1, 2, 3):
            assert (await outcome(pool)).ended
            assert upstream.opened == opened
            await settled(lambda: pool.open == 0)


async def test_a_stale_connection_is_retried_once_on_a_fresh_one() -> None:
    """The upstream closes just as the second request arrives."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok(b"fresh"))
        await read_request(reader)

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        await outcome(pool)
        second = await outcome(pool)
        assert (second.body, second.ended, upstream.opened) == (b"fresh", True, 2)


async def test_a_fresh_connection_is_never_retried() -> None:
    async with ScriptedUpstream.running(saying().script) as upstream, pool_to(upstream.port) as pool:
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, upstream.opened) == ("truncated", 1)


async def test_a_retry_that_fails_too_is_the_end() -> None:
    opened = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await read_request(reader)
        if opened == 1:
            writer.write(ok())
            await read_request(reader)

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        await outcome(pool)
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, upstream.opened) == ("truncated", 2)


async def test_a_first_byte_rules_out_a_retry() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok())
        await read_request(reader)
        writer.write(b"HTTP/1.1 200")

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        await outcome(pool)
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, upstream.opened) == ("truncated", 1)


@pytest.mark.parametrize(
    ("pieces", "kind", "body"),
    [
        ([ok(b"abcdef")[:-2]], "truncated", b"abcd"),
        ([CHUNKED + b"3\r\nabc\r\n"], "truncated", b"abc"),
        ([CHUNKED + b"3\r\nabc\r\nzz\r\n"], "protocol", b"abc"),
        ([b"SSH-2.0\r\n"], "protocol", b""),
    ],
)
async def test_an_answer_cut_short_is_an_error_behind_what_came(pieces: list[bytes], kind: str, body: bytes) -> None:
    async with ScriptedUpstream.running(saying(*pieces).script) as upstream, pool_to(upstream.port) as pool:
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, sink.body, sink.ended) == (kind, body, False)
        assert pool.open == 0


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with pool_to(free.getsockname()[1]) as pool:
            sink = await outcome(pool)
            assert sink.error is not None
            assert sink.error.kind == "connect"
            assert "127.0.0.1" in str(sink.error)


@pytest.mark.parametrize(
    ("pieces", "timeouts", "kind"),
    [
        ([], {"first_byte_timeout_s": 0.1}, "timeout_first_byte"),
        ([CHUNKED + b"1\r\na\r\n"], {"idle_timeout_s": 0.1}, "timeout_idle"),
        ([CHUNKED + b"1\r\na\r\n"], {"total_timeout_s": 0.1}, "timeout_total"),
        ([], {"total_timeout_s": 0.1, "first_byte_timeout_s": 9.0}, "timeout_total"),
    ],
)
async def test_timeouts_close_the_connection(pieces: list[bytes], timeouts: dict[str, Any], kind: str) -> None:
    script = saying(*pieces, hang=True).script
    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port, **timeouts) as pool:
        sink = await outcome(pool)
        assert sink.error is not None
        assert sink.error.kind == kind
        assert kind in KINDS
        await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)
        assert pool.open == 0


async def test_a_connection_that_is_never_accepted() -> None:
    with socket.socket() as full:  # a backlog that is full drops further attempts in silence
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(full.getsockname())
            async with pool_to(full.getsockname()[1], connect_timeout_s=0.1) as pool:
                sink = await outcome(pool)
                assert sink.error is not None
                assert sink.error.kind == "timeout_connect"
                assert pool.open == 0


async def test_beyond_the_limit_a_call_is_refused_but_not_within_call() -> None:
    script = saying(hang=True).script
    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port, max_connections=1) as pool:
        first, second = Sunk(), Sunk()
        ask(pool, first)
        ask(pool, second)
        assert not second.over.is_set()
        await second.wait()
        assert second.error is not None
        assert second.error.kind == "overloaded"
        assert not first.over.is_set()


@pytest.mark.parametrize("when", ["connecting", "sent", "streaming"])
async def test_a_cancelled_call_closes_its_connection_and_says_nothing(when: str) -> None:
    script = saying(CHUNKED + b"1\r\na\r\n", hang=True) if when == "streaming" else saying(hang=True)
    async with ScriptedUpstream.running(script.script) as upstream, pool_to(upstream.port) as pool:
        sink = Sunk()
        call = ask(pool, sink)
        if when != "connecting":
            await settled(lambda: upstream.opened > 0 and (when == "sent" or sink.body != b""))
        call.cancel()
        assert pool.open == 0
        call.cancel()
        if upstream.opened:
            await asyncio.wait_for(upstream.all_closed.wait(), PATIENCE_S)
        assert not sink.over.is_set()


class Quitter:
    """A sink that cancels its call when it hears `at`."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.heard: list[str] = []
        self.call: Call

    def hear(self, what: str) -> None:
        self.heard.append(what)
        if what == self.at:
            self.call.cancel()

    def on_head(self, _status: int, _headers: Headers) -> None:
        self.hear("head")

    def on_data(self, _data: bytes) -> None:
        self.hear("data")

    def on_end(self) -> None:
        self.hear("end")

    def on_error(self, _error: UpstreamError) -> None:
        self.hear("error")


class Wholesale(Sunk):
    """A sink that takes whole answers."""

    def on_whole(self, status: int, headers: Headers, body: bytes, content_type: bytes) -> None:
        assert not self.status
        self.status, self.headers, self.ended = status, [*headers, (b"", content_type)], True
        self.pieces.append(body)
        self.over.set()


async def test_a_whole_answer_in_one_read_is_one_event() -> None:
    answer = ok(b"fine", b"Content-Type: text/plain\r\nKeep-Alive: 1\r\n")
    async with ScriptedUpstream.running(answering(*[answer] * 3)) as upstream, pool_to(upstream.port) as pool:
        for _ in range(2):
            sink = Wholesale()
            ask(pool, sink)
            await sink.wait()
            assert (sink.status, sink.body) == (200, b"fine")
            assert sink.headers == [(b"Content-Type", b"text/plain"), (b"Content-Length", b"4"), (b"", b"text/plain")]
        assert (upstream.opened, pool.idle) == (1, 1)


@pytest.mark.parametrize("status", [b"200 OK", b"304 Not Modified"])
async def test_an_answer_that_can_have_no_body_is_never_whole(status: bytes) -> None:
    """Its declared length would be lost."""
    answer = b"HTTP/1.1 %b\r\nContent-Length: 9\r\n\r\n" % status
    async with ScriptedUpstream.running(answering(answer)) as upstream, pool_to(upstream.port) as pool:
        sink = Wholesale()
        pool.call(b"HEAD" if b"200" in status else b"GET", b"/", [], b"", sink)
        await sink.wait()
        assert (sink.headers, sink.pieces, sink.ended) == ([(b"Content-Length", b"9")], [], True)


@pytest.mark.parametrize("at", [1, 20, 60])
async def test_an_answer_in_several_reads_comes_in_pieces(at: int) -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok(b"x" * 50)[:at])
        await part.wait()
        writer.write(ok(b"x" * 50)[at:])

    part = asyncio.Event()
    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        sink = Wholesale()
        ask(pool, sink)
        await settled(lambda: any(not c._parser.untouched for c in pool._connections))
        part.set()
        await sink.wait()
        assert (sink.status, sink.body, sink.ended) == (200, b"x" * 50, True)


@pytest.mark.parametrize("at", ["head", "data", "end"])
async def test_a_sink_may_cancel_at_any_point(at: str) -> None:
    async with ScriptedUpstream.running(answering(ok(), ok())) as upstream, pool_to(upstream.port) as pool:
        sink = Quitter(at)
        sink.call = pool.call(b"GET", b"/", [], b"", sink)
        await settled(lambda: at in sink.heard)
        assert pool.open == (1 if at == "end" else 0)
        assert (await outcome(pool)).ended
        assert sink.heard == ["head", "data", "end"][: len(sink.heard)]
        assert sink.heard[-1] == at


async def test_a_stream_does_not_keep_what_was_sent() -> None:
    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na")
        await reader.read()

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        sink = Sunk()
        call = ask(pool, sink, b"x" * 100_000)
        assert len(call.request) > 100_000
        await asyncio.wait_for(sink.fed.wait(), PATIENCE_S)
        assert call.request == b""
        call.cancel()


async def test_a_paused_call_reads_no_further_and_does_not_idle_out() -> None:
    sent = 0

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await read_request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40000000\r\n\r\n")
        for _ in range(400):
            writer.write(b"x" * 100_000)
            await writer.drain()
            sent += 100_000

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port, idle_timeout_s=0.1) as pool:
        sink = Sunk()
        call = ask(pool, sink)
        await asyncio.wait_for(sink.fed.wait(), PATIENCE_S)
        call.pause()
        seen = len(sink.body)
        await asyncio.sleep(0.5)  # an idle timeout, and the ticks that it may come late, twice
        assert len(sink.body) == seen
        assert sent < 39_000_000
        call.patience = call.patience._replace(idle_s=PATIENCE_S)  # on a busy machine the rest may take its time
        call.resume()
        await sink.wait()
        assert (sink.error, len(sink.body), sink.ended) == (None, 40_000_000, True)


async def test_paused_before_the_connection_is_open() -> None:
    async with ScriptedUpstream.running(answering(ok())) as upstream, pool_to(upstream.port) as pool:
        sink = Sunk()
        call = ask(pool, sink)
        call.pause()
        await settled(lambda: upstream.opened > 0)
        assert not sink.status
        call.resume()
        assert (await sink.wait()).ended


async def test_interim_answers_are_skipped_and_head_has_no_body() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
    bodiless = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    script = answering(interim + ok(), bodiless, ok())
    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        assert (await outcome(pool)).body == b"fine"
        sink = Sunk()
        pool.call(b"HEAD", b"/", [], b"", sink)
        await sink.wait()
        assert (sink.status, sink.body, sink.ended) == (200, b"", True)
        assert (await outcome(pool)).body == b"fine"
        assert upstream.opened == 1


async def test_an_early_refusal_of_a_large_body_is_heard() -> None:
    refusal = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(refusal)
        await writer.drain()
        await forever(reader, writer)

    async with ScriptedUpstream.running(script) as upstream, pool_to(upstream.port) as pool:
        sink = Sunk()
        ask(pool, sink, b"x" * 20_000_000)
        await sink.wait()
        assert sink.status == 413


async def test_a_closed_pool_ends_its_calls() -> None:
    async with ScriptedUpstream.running(saying(hang=True).script) as upstream, pool_to(upstream.port) as pool:
        sink = Sunk()
        ask(pool, sink)
        await settled(lambda: upstream.opened > 0)
        pool.close()
        assert sink.error is not None
        late = await outcome(pool)
        assert late.error is not None
        assert late.error.kind == "overloaded"


@pytest.mark.skipif(not speaks_ipv6(), reason="no IPv6 loopback here")
async def test_ipv6() -> None:
    script = answering(ok())
    async with (
        ScriptedUpstream.running(script, host="::1") as upstream,
        pool_to(upstream.port, base="http://[::1]") as pool,
    ):
        assert (await outcome(pool)).ended


@pytest.mark.parametrize(
    "settings",
    [{"base_url": "http://a:99999"}, {"base_url": "https://a", "ca_file": "/nowhere.pem"}],
)
async def test_an_address_or_certificate_that_can_not_be_used(settings: dict[str, Any]) -> None:
    with pytest.raises(OperatorError):
        Pool(Upstream(**settings), asyncio.get_running_loop())
