"""Requests that no policy covers: the client's bytes go up, the provider's come down, as they arrive."""

from gateway.http.errors import UpstreamError
from gateway.http.framing import content_length, find
from gateway.http.messages import Headers, Reply, Request
from gateway.http.tunnel import Side
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import block_for
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.routes import Route
from gateway.telemetry.lines import failed as log_failed
from policies.dialects import dialect_of

_BETWEEN_EVENTS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay:
    """A sink that passes everything on."""

    __slots__ = ("_call", "_id", "_last", "_metrics", "_open", "_reply", "_request", "_route", "_started", "_stream")

    def __init__(self, route: Route, request: Request, reply: Reply, request_id: str, metrics: Metrics) -> None:
        self._route = route
        self._request = request
        self._reply = reply
        self._id = request_id
        self._metrics = metrics
        self._call: Call | None = None
        self._open = True
        self._started = False
        self._stream = False
        self._last = b"\n\n"  # of the body, so far

    def begin(self) -> None:
        """Send the request up."""
        request, route = self._request, self._route
        self._metrics.relayed += 1
        headers, path = block_for(request, route, readable=False), route.path(request.target)
        if request.upgrade:
            self._call = route.upgrade(path, headers, request.upgrade, self)
        else:
            self._call = route.call(request.method, path, headers, request.incoming or request.body, self)
        self._reply.on_gone = self._gone
        self._reply.on_pause = self._call.pause
        self._reply.on_resume = self._call.resume

    def on_upgrade(self, headers: Headers, far: Side) -> None:
        """The upstream speaks another protocol from here on, and so does the client; `on_end` follows."""
        self._reply.tunnel([*headers, (b"x-evogate-request-id", self._id.encode())], far)

    def on_whole(self, status: int, headers: Headers, body: bytes, _content_type: bytes) -> None:
        """All of it at once."""
        self._release()
        self._reply.send(status, headers, body, self._named())

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._started = True
        self._stream = (find(headers, b"content-type") or b"").startswith(b"text/event-stream")
        self._reply.start(status, headers, content_length(headers), self._named())

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._last = data
        self._reply.write(data)

    def on_end(self) -> None:
        """It is whole."""
        self._release()
        self._reply.end()

    def on_error(self, error: UpstreamError) -> None:
        """Before its head: an envelope. Between events: an error event. Anywhere else: a cut that can be told."""
        self._release()
        self._metrics.error(error.kind)
        log_failed(self._id, reason=error.kind, upstream=self._route.name)
        if not self._started:
            failure = Failure.of(error)
            headers = answers.made_here(error.kind, self._id)
            self._reply.send(failure.status, headers, answers.upstream_error(failure))
        elif self._stream and self._last.endswith(_BETWEEN_EVENTS):
            self._reply.end(dialect_of(self._request.path).error_event(str(error), error.kind))
        else:
            self._reply.abort()

    def _named(self) -> tuple[bytes, ...]:
        return (b"x-evogate-request-id: " + self._id.encode(),)

    def _gone(self) -> None:
        if self._call is not None and self._open:
            self._call.cancel()
            self._release()

    def _release(self) -> None:
        if self._open:
            self._open = False
            self._route.done()
            reply = self._reply
            reply.on_gone = reply.on_pause = reply.on_resume = None  # no cycle is left for the collector
