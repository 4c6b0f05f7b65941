"""Requests that no policy covers: the client's bytes go up, the provider's come down, as they arrive."""

from gateway.http.errors import UpstreamError
from gateway.http.framing import content_length, find
from gateway.http.messages import Headers, Reply, Request
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import upward
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.routes import Route


class Relay:
    """A sink that passes everything on."""

    __slots__ = ("_call", "_id", "_metrics", "_open", "_reply", "_request", "_route", "_started", "_stream")

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

    def begin(self) -> None:
        """Send the request up."""
        request, route = self._request, self._route
        self._metrics.relayed += 1
        headers = upward(request.headers, route.credential, route.address.version, readable=False)
        self._call = route.call(request.method, route.path(request.target), headers, request.body, self)
        self._reply.on_gone = self._gone
        self._reply.on_pause = self._call.pause
        self._reply.on_resume = self._call.resume

    def on_whole(self, status: int, headers: Headers, body: bytes, _content_type: bytes) -> None:
        """All of it at once."""
        self._release()
        self._reply.send(status, self._named(headers), body)

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._started = True
        self._stream = (find(headers, b"content-type") or b"").startswith(b"text/event-stream")
        self._reply.start(status, self._named(headers), content_length(headers))

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._reply.write(data)

    def on_end(self) -> None:
        """It is whole."""
        self._release()
        self._reply.end()

    def on_error(self, error: UpstreamError) -> None:
        """Before its head: an envelope. In a stream: an error event. In any other body: a cut that can be told."""
        self._release()
        self._metrics.error(error.kind)
        if not self._started:
            failure = Failure.of(error)
            headers = answers.made_here(error.kind, self._id)
            self._reply.send(failure.status, headers, answers.upstream_error(failure))
        elif self._stream:
            self._reply.end(answers.error_event(Failure.of(error)))
        else:
            self._reply.abort()

    def _named(self, headers: Headers) -> Headers:
        return [*headers, (b"x-evogate-request-id", self._id.encode())]

    def _gone(self) -> None:
        if self._call is not None and self._open:
            self._call.cancel()
            self._release()

    def _release(self) -> None:
        if self._open:
            self._open = False
            self._route.done()
