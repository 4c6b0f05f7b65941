"""The provider's side: a pool of keep-alive connections that decides at once and does its I/O afterwards.

1. A connection carries one call at a time and is reused only after a clean, complete answer. The last one used is
   taken first, so that the others grow old and close.
2. A reused connection that closes before the first byte of an answer was stale: the call is sent once more, on a fresh
   connection. Nothing else is ever sent twice.
3. A sink hears `on_head`, any number of `on_data`, then `on_end`; or `on_error` at any point, and then nothing more.
   After `Call.cancel` it hears nothing. None of it happens inside `Pool.call`.
4. Every call ends within its total timeout, whatever the upstream and the sink do.
5. A body that is still arriving goes out on a fresh connection, because it can't be sent once more.
6. A connection that has reached `max_connection_age_s` is not used again, so that its name is resolved anew.
"""

import asyncio
from typing import cast

from config.upstreams import Upstream
from gateway.http import framing
from gateway.http.calls import Body, Call, Patience, Sink, UpgradeSink
from gateway.http.connecting import Connector
from gateway.http.deadlines import deadlines_of
from gateway.http.errors import UpstreamError
from gateway.http.framing import Headers
from gateway.http.incoming import Incoming
from gateway.http.upstream_connection import UpstreamConnection
from policies.resilience import TimeoutRules

__all__ = ["Body", "Call", "Pool", "Sink", "UpgradeSink", "UpstreamError"]


class Pool:
    """Connections to one upstream."""

    def __init__(self, settings: Upstream, loop: asyncio.AbstractEventLoop) -> None:
        """Read the address and certificates; connects to nobody yet.

        Raises:
            OperatorError: the address is wrong, or the certificates can't be read.
        """
        self.settings = settings
        self._patience = Patience(
            settings.connect_timeout_s,
            settings.first_byte_timeout_s,
            settings.idle_timeout_s,
            settings.total_timeout_s,
        )
        self._connector = Connector(settings, loop)
        self._host = self._connector.address.host
        self._own_lines = b"Host: " + self._connector.address.authority
        self._base = b""  # before every path
        forwarder = self._connector.forwards
        if forwarder is not None:
            self._base = b"http://" + self._connector.address.authority
            if forwarder.authorization:
                self._own_lines += b"\r\n" + forwarder.authorization
        self.deadlines = deadlines_of(loop)
        self._loop = loop
        self._connections: set[UpstreamConnection] = set()
        self._idle: dict[UpstreamConnection, None] = {}  # a stack from which one may be taken out anywhere
        self._connecting: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def open(self) -> int:
        """Connections that are open or being opened."""
        return len(self._connections)

    @property
    def idle(self) -> int:
        """Connections that wait for a call."""
        return len(self._idle)

    def call(  # noqa: PLR0917 - keywords would cost a tenth of a microsecond
        self,
        method: bytes,
        path: bytes,
        headers: Headers | bytes,
        body: Body,
        sink: Sink,
        timeouts: TimeoutRules | None = None,
    ) -> Call:
        """Send a request; `path` is whole, with the base path and the query. `Host` and `Content-Length` are set here.

        `headers` may be a `framing.block`, made once for many requests. Headers that a `Connection` header names are
        the caller's to leave out (`framing.end_to_end`).
        """
        call = self._call(method, path, headers, body, sink)
        if timeouts is not None:
            call.patience = patience = _over(timeouts, self._patience)
            call.deadline = self.deadlines.after(patience.total_s)
        self._dispatch(call)
        return call

    def upgrade(self, path: bytes, headers: Headers | bytes, protocol: bytes, sink: UpgradeSink) -> Call:
        """Ask by GET to switch to `protocol`; see UpgradeSink. `headers` as for `call`."""
        offer = b"Connection: Upgrade\r\nUpgrade: %b\r\n" % protocol
        lines = headers if isinstance(headers, bytes) else framing.block(headers)
        call = self._call(b"GET", path, lines + offer, b"", sink)
        call.upgrade = True
        self._dispatch(call)
        return call

    def close(self) -> None:
        """Close every connection at once; calls in flight end with an error."""
        self._closed = True
        for task in list(self._connecting):
            task.cancel()
        for connection in list(self._connections):
            connection.close()

    def _call(self, method: bytes, path: bytes, headers: Headers | bytes, body: Body, sink: Sink) -> Call:
        if self._base:
            path = self._base + path
        if not isinstance(body, bytes):
            return self._uploading(method, path, headers, body, sink)
        length = len(body) if body or method in {b"POST", b"PUT", b"PATCH"} else None
        data = framing.request(method, path, self._own_lines, headers, length=length, body=body)
        return Call(method, data, sink, self.deadlines.after(self._patience.total_s), self._patience)

    def _uploading(self, method: bytes, path: bytes, headers: Headers | bytes, body: Incoming, sink: Sink) -> Call:
        own, block = self._own_lines, headers if isinstance(headers, bytes) else framing.block(headers)
        own += b"\r\n" + (framing.CHUNKED if body.length is None else b"Content-Length: %d" % body.length)
        data = framing.request(method, path, own, block, length=None)
        return Call(method, data, sink, self.deadlines.after(self._patience.total_s), self._patience, body)

    def _dispatch(self, call: Call) -> None:
        if call.upload is not None:
            if len(self._connections) >= self.settings.max_connections and self._idle:
                next(iter(self._idle)).close()
            self.open_for(call)
            return
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.usable:
                connection.send(call)
                return
        self.open_for(call)

    # For connections

    def open_for(self, call: Call) -> None:
        """Give the call a fresh connection, or refuse it where there are as many as allowed."""
        if self._closed or len(self._connections) >= self.settings.max_connections:
            reason = "is closed" if self._closed else f"has all its {self.settings.max_connections} connections busy"
            self._loop.call_soon(call.fail, UpstreamError("overloaded", f"the pool of {self._host} {reason}"))
            return
        connection = UpstreamConnection(self)
        self._connections.add(connection)
        connection.reserve(call)
        task = self._loop.create_task(self._connect(connection))
        self._connecting.add(task)
        connection.connecting = task
        task.add_done_callback(self._connecting.discard)

    def release(self, connection: UpstreamConnection) -> None:
        """Its answer was clean and complete: it may serve again."""
        if self._closed:
            connection.close()
        else:
            self._idle[connection] = None

    def drop(self, connection: UpstreamConnection) -> None:
        """It has closed, or is about to."""
        self._connections.discard(connection)
        self._idle.pop(connection, None)

    async def _connect(self, connection: UpstreamConnection) -> None:
        try:
            await self._connector.open(cast("asyncio.Protocol", connection))
        except UpstreamError as error:
            connection.fail(error)
        except asyncio.CancelledError:
            connection.fail(UpstreamError("connect", f"connecting to {self._connector.address.where} was given up"))
            raise


def _over(rules: TimeoutRules, usual: Patience) -> Patience:
    """The rules, and what they leave open as usual."""
    return Patience(
        rules.connect_s or usual.connect_s,
        rules.first_byte_s or usual.first_byte_s,
        rules.idle_s or usual.idle_s,
        rules.total_s or usual.total_s,
    )
