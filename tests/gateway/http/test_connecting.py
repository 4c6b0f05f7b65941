"""How connections come about: addresses in turn, HTTP proxies, age."""

import asyncio
import shutil
import socket
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from config.upstreams import Upstream
from gateway.http.connecting import Connector
from gateway.http.upstream import Pool
from tests.gateway.http.support import ScriptedUpstream, Sunk, answering, ok, pool_to, read_request, settled
from tests.gateway.http.test_tls import certificate, server_side

__all__ = ["certificate"]

CREDENTIALS = b"Proxy-Authorization: Basic " + b64encode(b"me:pass word")
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")


async def outcome(pool: Pool) -> Sunk:
    sink = Sunk()
    pool.call(b"POST", b"/v1/x", [(b"X-a", b"b")], b"hi", sink)
    return await sink.wait()


# -- addresses -----------------------------------------------------------------------------------------------------


def resolving_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    asked: list[str] = []

    async def resolve(_self: Connector, host: str, _port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    monkeypatch.setattr(Connector, "_resolve", resolve)
    return asked


async def test_a_name_with_several_addresses_is_tried_until_one_accepts(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    async with (
        ScriptedUpstream.running(answering(ok())) as upstream,
        pool_to(upstream.port, base="http://provider.example") as pool,
    ):
        assert (await outcome(pool)).ended


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.2", "127.0.0.1")
    async with ScriptedUpstream.running(answering(ok())) as upstream:
        with socket.socket() as full:  # a backlog that is full drops further attempts in silence
            full.bind(("127.0.0.2", upstream.port))
            full.listen(0)
            with socket.create_connection(full.getsockname()), socket.socket() as second:
                second.setblocking(False)
                second.connect_ex(full.getsockname())
                async with pool_to(upstream.port, base="http://a.example", connect_timeout_s=0.4) as pool:
                    assert (await outcome(pool)).ended


async def test_where_no_address_accepts_the_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch, "127.0.0.2", "127.0.0.3")
    async with pool_to(1, base="http://provider.example") as pool:
        sink = await outcome(pool)
        assert sink.error is not None
        assert sink.error.kind == "connect"
        assert "provider.example:1" in str(sink.error)


async def test_names_are_resolved_by_the_system() -> None:
    async with (
        ScriptedUpstream.running(answering(ok())) as upstream,  # not on ::1, which often comes first
        pool_to(upstream.port, base="http://localhost") as pool,
    ):
        assert (await outcome(pool)).ended


async def test_connections_opened_together_share_one_look_at_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    known = asyncio.Event()

    async def look_up(_self: Connector, host: str, _port: int) -> list[str]:
        asked.append(host)
        await known.wait()
        return ["127.0.0.1"]

    monkeypatch.setattr(Connector, "_look_up", look_up)
    async with (
        ScriptedUpstream.running(answering(ok())) as upstream,
        pool_to(upstream.port, base="http://a.example") as pool,
    ):
        sinks = [Sunk() for _ in range(20)]
        calls = [pool.call(b"POST", b"/v1/x", [], b"hi", sink) for sink in sinks]
        await settled(lambda: bool(asked))
        calls[0].cancel()  # the first to ask goes, the others get their answer
        known.set()
        assert all([(await sink.wait()).ended for sink in sinks[1:]])
        assert asked == ["a.example"]


async def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving_to(monkeypatch)
    async with pool_to(1, base="http://nowhere.example") as pool:
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, "no address" in str(sink.error)) == ("connect", True)


async def test_a_connection_that_is_old_makes_room_for_a_fresh_look_at_the_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = resolving_to(monkeypatch, "127.0.0.1")
    async with (
        ScriptedUpstream.running(answering(*[ok()] * 9)) as upstream,
        pool_to(upstream.port, base="http://a.example", max_connection_age_s=0.3) as pool,
    ):
        await outcome(pool)
        await outcome(pool)
        assert (len(asked), upstream.opened) == (1, 1)
        await settled(lambda: pool.open == 0)  # idle or not: nothing stays beyond that age
        await outcome(pool)
        assert (len(asked), upstream.opened) == (2, 2)


async def test_a_busy_connection_grows_old_too() -> None:
    go_on = asyncio.Event()

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(ok()[:-1])
        await go_on.wait()
        writer.write(ok()[-1:])
        await reader.read()

    async with (
        ScriptedUpstream.running(script) as upstream,
        pool_to(upstream.port, max_connection_age_s=0.01) as pool,
    ):
        sink = Sunk()
        pool.call(b"GET", b"/", [], b"", sink)
        await asyncio.wait_for(sink.fed.wait(), 10)
        connection = next(iter(pool._connections))
        await settled(lambda: pool.deadlines.now > connection._too_old_at)
        go_on.set()
        assert (await sink.wait()).ended
        assert pool.open == 0


# -- proxies -------------------------------------------------------------------------------------------------------


class ConnectProxy:
    """A proxy that keeps what it was asked, and answers `answer` instead of connecting if that is set."""

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.asked: list[bytes] = []
        self.url = ""

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        if self.answer:
            writer.write(self.answer)
            return
        host, _, port = head.split(b" ", 2)[1].decode().rpartition(":")
        up_reader, up_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
        try:
            await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))
        finally:
            up_writer.close()

    @asynccontextmanager
    async def running(self, user: str = "") -> AsyncIterator[str]:
        async with ScriptedUpstream.running(self.script) as listening:
            yield f"http://{user}127.0.0.1:{listening.port}"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@needs_openssl
async def test_https_goes_through_connect(certificate: Path) -> None:
    proxy = ConnectProxy()
    async with (
        ScriptedUpstream.running(answering(ok(), ok()), ssl=server_side(certificate)) as upstream,
        proxy.running("me:pass%20word@") as url,
        pool_to(upstream.port, base="https://127.0.0.1", ca_file=str(certificate), proxy=url) as pool,
    ):
        for _ in range(2):
            sink = await outcome(pool)
            assert (sink.error, sink.body) == (None, b"fine")
        where = b"127.0.0.1:%d" % upstream.port
        assert proxy.asked == [b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n\r\n" % (where, where, CREDENTIALS)]


@needs_openssl
async def test_behind_a_proxy_certificates_are_checked_as_ever(certificate: Path) -> None:
    async with (
        ScriptedUpstream.running(answering(ok()), ssl=server_side(certificate)) as upstream,
        ConnectProxy().running() as url,
        pool_to(upstream.port, base="https://127.0.0.1", proxy=url) as pool,
    ):
        sink = await outcome(pool)
        assert sink.error is not None
        assert (sink.error.kind, pool.open) == ("tls", 0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication Required"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "403 Forbidden"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", "understood"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "understood"),
        (b"x" * 70_000, "understood"),
        (b"HTTP/1.1 200", "closed"),
    ],
)
async def test_a_proxy_that_refuses_is_named_without_its_password(answer: bytes, said: str) -> None:
    proxy = ConnectProxy(answer)
    async with (
        proxy.running("me:s3cr3t@") as url,
        pool_to(1, base="https://127.0.0.1", proxy=url, connect_timeout_s=5.0) as pool,
    ):
        sink = await outcome(pool)
        assert sink.error is not None
        assert sink.error.kind == "connect"
        assert "the proxy 127.0.0.1:" in str(sink.error)
        assert said in str(sink.error)
        assert "s3cr3t" not in str(sink.error)
        assert pool.open == 0


async def test_a_proxy_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://me:s3cr3t@127.0.0.1:{free.getsockname()[1]}"
        for base in ("http://provider.example", "https://provider.example"):
            async with pool_to(1, base=base, proxy=url) as pool:
                sink = await outcome(pool)
                assert sink.error is not None
                assert (sink.error.kind, "through the proxy 127.0.0.1:" in str(sink.error)) == ("connect", True)
                assert "s3cr3t" not in str(sink.error)


async def test_a_proxy_that_says_nothing_is_timed_out_and_its_connection_closed() -> None:
    async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        while await reader.read(1000):
            pass

    async with ScriptedUpstream.running(silent) as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        async with pool_to(1, base="https://a.example", proxy=url, connect_timeout_s=0.1) as pool:
            sink = await outcome(pool)
            assert sink.error is not None
            assert sink.error.kind == "timeout_connect"
            await asyncio.wait_for(proxy.all_closed.wait(), 10)


async def test_plain_http_is_sent_to_the_proxy_in_absolute_form() -> None:
    got: list[bytes] = []

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await read_request(reader))
        writer.write(ok())

    async with ScriptedUpstream.running(script) as proxy:
        url = f"http://me:pass%20word@127.0.0.1:{proxy.port}"
        async with pool_to(8080, base="http://provider.example", proxy=url) as pool:
            assert (await outcome(pool)).ended
    head = b"POST http://provider.example:8080/v1/x HTTP/1.1\r\nHost: provider.example:8080\r\n" + CREDENTIALS
    assert got == [head + b"\r\nX-a: b\r\nContent-Length: 2\r\n\r\nhi"]


@pytest.mark.parametrize(
    ("base", "authority", "target"),
    [
        ("https://api.example/v1", b"api.example", b"api.example:443"),
        ("http://[::1]:8080/v1", b"[::1]:8080", b"[::1]:8080"),
        ("https://u:p@api.example:444", b"api.example:444", b"api.example:444"),
    ],
)
async def test_addresses(base: str, authority: bytes, target: bytes) -> None:
    settings: dict[str, Any] = {"base_url": base}
    address = Connector(Upstream(**settings), asyncio.get_running_loop()).address
    assert (address.authority, address.target) == (authority, target)
