"""Requests that no policy covers: the client's bytes go up, the provider's come down, as they arrive.

An upstream's health, limit and queue hold for them as for any other. A body that is still arriving waits with its
client where its turn has not come. A tunnel leaves its place to others once it stands.
"""

import logging

from gateway.http.errors import UpstreamError
from gateway.http.framing import content_length, find
from gateway.http.messages import Headers, Reply, Request
from gateway.http.tunnel import Side
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.admission import Refused
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import block_for
from gateway.pipeline.routes import Route
from gateway.telemetry.lines import failed as log_failed
from policies.dialects import dialect_of
from policies.resilience import Permit, Trouble
from policies.resilience.retry_after import status_trouble

log = logging.getLogger("evogate.pipeline")

_BETWEEN_EVENTS = (b"\n\n", b"\r\n\r\n", b"\r\r")


class Relay:
    """A sink that passes everything on."""

    __slots__ = (
        "_call", "_core", "_id", "_last", "_open", "_permit", "_reply", "_request", "_route", "_started", "_status",
        "_stream", "_trouble",
    )  # fmt: skip

    def __init__(self, core: Core, route: Route, request: Request, reply: Reply, request_id: str) -> None:
        self._core = core
        self._route = route
        self._request = request
        self._reply = reply
        self._id = request_id
        self._call: Call | None = None
        self._permit: Permit | None = None
        self._trouble: Trouble | None = None  # that the answer's status tells of
        self._status = 0
        self._open = True
        self._started = False
        self._stream = False
        self._last = b"\n\n"  # of the body, so far

    def begin(self) -> None:
        """Ask the upstream to be let in."""
        self._core.metrics.relayed += 1
        self._reply.on_gone = self._gone
        permit = self._route.admission.admit(self._core.loop.time(), self)
        if type(permit) is Permit:
            self.on_admitted(permit)
        elif type(permit) is Refused:
            self.on_refused(permit)

    def on_admitted(self, permit: Permit) -> None:
        """Send the request up."""
        self._permit = permit
        try:
            self._call = call = self._send()
        except Exception as error:
            log.warning("the call to upstream %s failed here", self._route.name, exc_info=error)
            self._leave(Trouble("upstream_call"))
            self._told(Failure(502, "upstream_call", f"the call to the upstream failed: {error}"))
            return
        self._reply.on_pause = call.pause
        self._reply.on_resume = call.resume

    def on_refused(self, refused: Refused) -> None:
        """The upstream is not to be asked now."""
        self._told(Failure.refused(refused))

    def _send(self) -> Call:
        request, route = self._request, self._route
        headers, path = block_for(request, route, readable=False), route.path(request.target)
        if request.upgrade:
            return route.upgrade(path, headers, request.upgrade, self)
        return route.call(request.method, path, headers, request.incoming or request.body, self)

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
        permit = self._permit
        if permit is not None and permit.probe and self._trouble is None:
            self._route.admission.health.began(permit, self._core.loop.time())
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

    def _named(self) -> tuple[bytes, ...]:
        return (b"x-evogate-request-id: " + self._id.encode(),)

    def _judge(self, status: int, headers: Headers) -> None:
        self._status = status
        self._trouble = status_trouble(status, headers, self._core.now()) if status >= 400 else None

    def _told(self, failure: Failure) -> None:
        """The client, which has nothing yet, hears why there is no answer."""
        self._note(failure.reason)
        dialect = dialect_of(self._request.path)
        self._reply.send(failure.status, *answers.of_failure(failure, dialect, self._id, repeated=False))

    def _note(self, reason: str) -> None:
        self._core.metrics.error(reason)
        log_failed(self._id, reason=reason, upstream=self._route.name)

    def _gone(self) -> None:
        if self._call is None:
            self._route.admission.leave(self)
        elif self._open:
            self._call.cancel()
            self._release(Trouble("gone"))

    def _release(self, trouble: Trouble | None) -> None:
        """The call has ended."""
        if self._open:
            self._open = False
            self._leave(trouble)
            self._route.done()
            reply = self._reply
            reply.on_gone = reply.on_pause = reply.on_resume = None  # no cycle is left for the collector

    def _leave(self, trouble: Trouble | None) -> None:
        """Others may have its place."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._route.admission.finish(permit, trouble, self._core.loop.time())
