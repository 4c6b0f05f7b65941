"""The listening side: connections that turn requests into calls of an application, and the drain at the end."""

import asyncio
import socket as sockets
from collections import deque
from typing import cast

from config.settings import Limits
from gateway.http import framing
from gateway.http.deadlines import NEVER, deadlines_of
from gateway.http.messages import App, HttpError, Reply, Request
from gateway.http.request_parser import RequestParser

BACKLOG = 2048
PIPELINED = 16  # requests that may wait behind the one being answered before reading stops
WRITE_BUFFER_BYTES = 131_072  # beyond it `on_pause`, below a quarter of it `on_resume`
LINGER_S = 2.0  # after a refusal: a client still sending gets to read why, instead of a reset


class Connection(asyncio.Protocol):
    """One client: a thin shell around RequestParser and Reply. Requests are answered one by one, in order."""

    def __init__(self, server: "Server", loop: asyncio.AbstractEventLoop) -> None:
        self.deadline = NEVER
        self._server = server
        self._app = server.app
        self._limits = server.limits
        self._deadlines = deadlines_of(loop)
        self._transport: asyncio.Transport
        self._parser: RequestParser
        self._waiting: deque[Request] = deque()
        self._reply: Reply | None = None
        self._pumping = False
        self._paused = False  # the client doesn't read
        self._unread = 0  # bytes that it had not read when last looked at
        self._reading = True
        self._closing = False  # nothing more is read from it

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet it, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES // 4)
        peer = transport.get_extra_info("peername")
        self._parser = RequestParser(self._limits, peer[0] if isinstance(peer, tuple) else "")
        self.deadline = self._deadlines.after(self._limits.header_timeout_s)
        self._deadlines.watch(self)
        if not self._server.admit(self):
            self._refuse(HttpError(503, "too many connections; try again later"))

    def data_received(self, data: bytes) -> None:
        """Parse, queue, answer."""
        if self._closing:
            return
        parser = self._parser
        began_in_head = parser.in_head
        self._waiting.extend(parser.feed(data))
        self._pump()
        if self._reply is not None:
            self._read_on(len(self._waiting) < PIPELINED)
        elif parser.receiving and not (began_in_head and parser.in_head):
            self.deadline = self._deadlines.after(self._limits.header_timeout_s)

    def eof_received(self) -> bool:
        """The client closed its sending side: as for nginx and Go's server, it has gone if it waits for an answer."""
        if self._reply is not None:
            self._transport.abort()
        return False

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell the application at once: whatever the upstream still does for this client costs money."""
        self._deadlines.forget(self)
        self._server.leave(self)
        self._waiting.clear()
        reply, self._reply = self._reply, None
        if reply is not None:
            reply.lose()

    def pause_writing(self) -> None:
        """The client doesn't keep up."""
        self._paused = True
        self._unread = self._transport.get_write_buffer_size()
        self.deadline = self._deadlines.after(self._limits.keepalive_s)
        if self._reply is not None and self._reply.on_pause is not None:
            self._reply.on_pause()

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._paused = False
        reply = self._reply
        if reply is None:
            self._pump()
            return
        self.deadline = NEVER
        if reply.on_resume is not None:
            reply.on_resume()

    def on_deadline(self) -> None:
        """A client that is too slow, or that has nothing more to ask."""
        unread = self._transport.get_write_buffer_size()
        if unread and unread < self._unread:  # slow, but it reads
            self._unread = unread
            self.deadline = self._deadlines.after(self._limits.keepalive_s)
        elif self._paused or self._closing:
            self._transport.abort()
        elif self._parser.receiving:
            self._refuse(HttpError(408, "the request did not arrive in time"))
        else:
            self.close()

    # The life of requests

    @property
    def idle(self) -> bool:
        """Whether no request is being received, waiting or answered."""
        return self._reply is None and not self._waiting and not self._parser.receiving

    def close(self) -> None:
        """Close after what is still in the buffer."""
        self._closing = True
        self._waiting.clear()
        self._unread = self._transport.get_write_buffer_size()
        self.deadline = self._deadlines.after(self._limits.keepalive_s)
        self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()

    def _pump(self) -> None:
        """Answer what waits. A loop, not a recursion: an application may answer before it returns."""
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._waiting and self._reply is None and not self._paused and not self._closing:
                self._dispatch(self._waiting.popleft())
        finally:
            self._pumping = False
        if self._reply is None and not self._waiting and not self._closing:
            self._after_last()

    def _dispatch(self, request: Request) -> None:
        self.deadline = NEVER
        reply = self._reply = Reply(request, self._transport.write, self._finished)
        if self._server.draining:
            reply.keep_alive = False
        self._app(request, reply)

    def _finished(self, reusable: bool) -> None:
        self._reply = None
        if not reusable:
            self.close()
            return
        self._pump()

    def _after_last(self) -> None:
        """Nothing is being answered: say what is wrong, ask for the body, or wait for the next request."""
        if self._parser.error is not None:
            self._refuse(self._parser.error)
            return
        self._read_on(True)
        if self._parser.take_expectation():
            self._transport.write(framing.CONTINUE)
        if not self._parser.receiving:
            self.deadline = self._deadlines.after(self._limits.keepalive_s)

    def _read_on(self, wanted: bool) -> None:
        if wanted is not self._reading:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _refuse(self, error: HttpError) -> None:
        """Answer with the error, then close our side and read on for a while."""
        self._closing = True
        self._transport.write(refusal(error))
        self._transport.write_eof()
        self._read_on(True)
        self.deadline = self._deadlines.after(LINGER_S)


def refusal(error: HttpError) -> bytes:
    """The whole answer to a request that can't be served."""
    kind = "server_error" if error.status == 503 else "invalid_request_error"
    body = framing.envelope(str(error), kind, code=f"http_{error.status}")
    headers = [(b"Content-Type", b"application/json"), (b"x-evogate-error", b"http_%d" % error.status)]
    return framing.response_head(error.status, headers, length=len(body), extra=b"Connection: close\r\n") + body


class Server:
    """A listening socket and its connections."""

    def __init__(self, app: App, limits: Limits) -> None:
        self.app = app
        self.limits = limits
        self.draining = False
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()

    async def listen(
        self, host: str, port: int, *, reuse_port: bool = False, sock: sockets.socket | None = None
    ) -> None:
        """Start accepting.

        Raises:
            OSError: the address can't be had.
        """
        loop = asyncio.get_running_loop()

        def connection() -> Connection:
            return Connection(self, loop)

        if sock is not None:
            self._listener = await loop.create_server(connection, sock=sock, backlog=BACKLOG)
        else:
            self._listener = await loop.create_server(
                connection, host, port, backlog=BACKLOG, reuse_port=reuse_port or None
            )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._listener.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def drain(self, grace_s: float) -> None:
        """Accept nobody new, close the idle, let running answers end; after `grace_s` seconds close the rest."""
        self.draining = True
        self._listener.close()
        for connection in list(self._connections):
            if connection.idle:
                connection.close()
        try:
            await asyncio.wait_for(self._empty.wait(), grace_s)
        except TimeoutError:
            await self.close()

    async def close(self) -> None:
        """Close everything at once; clients being answered are cut off and their `on_gone` is called."""
        self.draining = True
        self._listener.close()
        for connection in list(self._connections):
            connection.abort()
        await self._empty.wait()

    def admit(self, connection: Connection) -> bool:
        """Take a connection in; False where there is no room for it to be served."""
        self._connections.add(connection)
        self._empty.clear()
        return len(self._connections) <= self.limits.connections

    def leave(self, connection: Connection) -> None:
        """It has closed."""
        self._connections.discard(connection)
        if not self._connections:
            self._empty.set()


async def serve(
    app: App,
    *,
    host: str,
    port: int,
    limits: Limits,
    reuse_port: bool = False,
    sock: sockets.socket | None = None,
) -> Server:
    """Start serving `app`; port 0 takes a free one. `sock` is a bound socket to use instead of host and port.

    Raises:
        OSError: the address can't be had.
    """
    server = Server(app, limits)
    await server.listen(host, port, reuse_port=reuse_port, sock=sock)
    return server
