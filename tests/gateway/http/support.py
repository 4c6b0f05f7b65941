"""Both ends of a wire by other means than the code under test: scripted upstreams, raw clients, the stdlib's parser."""

import asyncio
import http.client
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self, cast

from config.gateway import Limits
from config.upstreams import Upstream
from gateway.http.errors import UpstreamError
from gateway.http.framing import Headers
from gateway.http.messages import App
from gateway.http.server import Server, serve
from gateway.http.upstream import Pool

PATIENCE_S = 10.0  # a test that waits longer than this has failed
GET = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def post(body: bytes, path: bytes = b"/v1/chat/completions", extra: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: here\r\n%bContent-Length: %d\r\n\r\n%b" % (path, extra, len(body), body)


async def settled(condition: Callable[[], bool]) -> None:
    """Let the loop turn until `condition` holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():  # noqa: ASYNC110 — looks at state that has no event of its own
            await asyncio.sleep(0.001)


def speaks_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@dataclass
class Answer:
    """A response as the stdlib's client understands it."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class _File(io.BytesIO):
    """Stays open when the stdlib has read enough."""

    def close(self) -> None:
        pass


class _Wire:
    def __init__(self, data: bytes) -> None:
        self.file = _File(data)

    def makefile(self, _mode: str) -> io.BytesIO:
        return self.file


def parse_answer(data: bytes, method: str = "POST") -> tuple[Answer, bytes]:
    """The first response in `data` and what lies behind it.

    Raises:
        http.client.IncompleteRead: the body is cut short.
    """
    wire = _Wire(data)
    response = http.client.HTTPResponse(cast("Any", wire), method=method)
    response.begin()
    answer = Answer(response.status, response.getheaders(), response.read())
    return answer, wire.file.read()


@dataclass
class Client:
    """A raw connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    seen: bytes = b""

    @classmethod
    @asynccontextmanager
    async def to(cls, port: int, host: str = "127.0.0.1") -> AsyncIterator[Self]:
        reader, writer = await asyncio.open_connection(host, port)
        client = cls(reader, writer)
        try:
            yield client
        finally:
            writer.close()

    @property
    def transport(self) -> asyncio.Transport:
        return cast("asyncio.Transport", self.writer.transport)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def until(self, mark: bytes) -> bytes:
        """What comes up to and with `mark`."""
        return await asyncio.wait_for(self.reader.readuntil(mark), PATIENCE_S)

    async def to_end(self) -> bytes:
        """Everything until the other side closes."""
        return await asyncio.wait_for(self.reader.read(), PATIENCE_S)

    async def answer(self) -> Answer:
        """One answer with a Content-Length."""
        head = await self.until(b"\r\n\r\n")
        lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
        length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
        return parse_answer(head + await asyncio.wait_for(self.reader.readexactly(length), PATIENCE_S))[0]


@asynccontextmanager
async def serving(app: App, late: App | None = None, **limits: Any) -> AsyncIterator[Server]:
    server = await serve(app, host="127.0.0.1", port=0, limits=Limits(**limits), late=late)
    try:
        yield server
    finally:
        await server.close()


@dataclass
class Sunk:
    """A sink that keeps everything."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    error: UpstreamError | None = None
    ended: bool = False
    headed: asyncio.Event = field(default_factory=asyncio.Event)
    fed: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def on_head(self, status: int, headers: Headers) -> None:
        assert not self.status
        self.status, self.headers = status, headers
        self.headed.set()

    def on_data(self, data: bytes) -> None:
        assert self.status
        assert data
        assert not self.over.is_set()
        self.pieces.append(data)
        self.fed.set()

    def on_end(self) -> None:
        assert not self.over.is_set()
        self.ended = True
        self.over.set()

    def on_error(self, error: UpstreamError) -> None:
        assert not self.over.is_set()
        self.error = error
        self.over.set()

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)

    async def wait(self) -> Self:
        await asyncio.wait_for(self.over.wait(), PATIENCE_S)
        return self


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """One request with or without a Content-Length, as it came; empty when the client has closed instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
    lines = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    length = next((int(value) for name, _, value in lines if name == b"content-length"), 0)
    return head + await reader.readexactly(length)


class ScriptedUpstream:
    """An upstream that runs `script` on every connection and counts them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.opened = 0
        self.closed = 0
        self.all_closed = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.opened += 1
        self.all_closed.clear()
        try:
            await self.script(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self.tasks.discard(task)
            self.closed += 1
            if self.closed == self.opened:
                self.all_closed.set()

    @classmethod
    @asynccontextmanager
    async def running(cls, script: Script, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Self]:
        upstream = cls(script)
        server = await asyncio.start_server(upstream.accept, host, 0, **options)
        upstream.port = server.sockets[0].getsockname()[1]
        try:
            yield upstream
        finally:
            server.close()
            for task in list(upstream.tasks):
                task.cancel()
            await asyncio.gather(*upstream.tasks, return_exceptions=True)


@asynccontextmanager
async def pool_to(port: int, *, base: str = "http://127.0.0.1", **settings: Any) -> AsyncIterator[Pool]:
    pool = Pool(Upstream(base_url=f"{base}:{port}", **settings), asyncio.get_running_loop())
    try:
        yield pool
    finally:
        pool.close()


def answering(*answers: bytes) -> Script:
    """Give each request on a connection the next of these answers, then close."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await read_request(reader):
                return
            writer.write(answer)
            await writer.drain()

    return script


def ok(body: bytes = b"fine", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n%bContent-Length: %d\r\n\r\n%b" % (extra, len(body), body)
