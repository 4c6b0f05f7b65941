"""Requests that no policy covers: the client's bytes go up, the provider's come down, as they arrive."""

from typing import Final

from gateway.http.errors import UpstreamError
from gateway.http.framing import content_length, find
from gateway.http.messages import Headers, Reply, Request
from gateway.http.tunnel import Side
from gateway.http.upstream import Call
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import block_for
from gateway.pipeline.routes import Route
from gateway.pipeline.uncovered import Uncovered
from policies.dialects import dialect_of
from policies.resilience import Trouble

_BETWEEN_EVENTS: Final = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay(Uncovered):
    """A sink that passes everything on. A tunnel leaves its place to others once it stands."""

    __slots__ = ("_last", "_started", "_stream")

    def __init__(self, core: Core, route: Route, request: Request, reply: Reply, request_id: str) -> None:
        super().__init__(core, route, request, reply, request_id)
        self._started = False
        self._stream = False
        self._last = b"\n\n"  # of the body, so far
        core.metrics.relayed += 1

    def _send(self) -> Call:
        request, route = self._request, self._route
        headers, path = block_for(request, route, readable=False), route.path(request.target)
        if request.upgrade:
            call = route.upgrade(path, headers, request.upgrade, self)
        else:
            call = route.call(request.method, path, headers, request.incoming or request.body, self)
        self._reply.on_pause, self._reply.on_resume = call.pause, call.resume
        return call

    def on_upgrade(self, headers: Headers, far: Side) -> None:
        """The upstream speaks another protocol from here on, and so does the client; `on_end` follows."""
        self._leave(None)
        self._reply.tunnel([*headers, (b"x-evogate-request-id", self._id.encode())], far)

    def on_whole(self, status: int, headers: Headers, body: bytes, _content_type: bytes) -> None:
        """All of it at once."""
        self._judge(status, headers)
        self._release(self._trouble)
        self._reply.send(status, headers, body, self._named())

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._started = True
        self._judge(status, headers)
        self._stream = (find(headers, b"content-type") or b"").startswith(b"text/event-stream")
        self._reply.start(status, headers, content_length(headers), self._named())

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._last = data
        self._reply.write(data)

    def on_end(self) -> None:
        """It is whole."""
        self._release(self._trouble)
        self._reply.end()

    def on_error(self, error: UpstreamError) -> None:
        """Before its head: an envelope. Between events: an error event. Anywhere else: a cut that can be told."""
        self._release(Trouble(error.kind, self._status))
        if not self._started:
            self._told(Failure.of(error))
            return
        self._note(error.kind)
        if self._stream and self._last.endswith(_BETWEEN_EVENTS):
            self._reply.end(dialect_of(self._request.path).error_event(str(error), error.kind))
        else:
            self._reply.abort()
