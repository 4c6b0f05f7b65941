"""What an application of the data plane sees: a whole request, and the reply that it fills in."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.http import framing
from gateway.http.framing import Headers
from gateway.http.incoming import Incoming
from gateway.http.tunnel import Side
from policies.errors import ClientError

__all__ = ["App", "Headers", "HttpError", "OnRefused", "Passes", "Reply", "Request", "refusal"]


REASONS = {
    400: "malformed_request",
    408: "request_timeout",
    413: "body_too_large",
    417: "unknown_expectation",
    431: "head_too_large",
    501: "not_implemented",
    503: "too_many_connections",
    505: "unknown_http_version",
}


class HttpError(ClientError):
    """What came can't be served: answered with `status`, one of those in REASONS, then the connection closes."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status

    @property
    def reason(self) -> str:
        """One word of a bounded set, for `x-evogate-error` and metrics."""
        return REASONS[self.status]


@dataclass(slots=True, init=False)  # its `__init__` is written out to be native where compiled
class Request:
    """A complete request, but for a body that is still `incoming`; `headers` in order and case as received."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes
    http_version: str  # "1.0" or "1.1"
    keep_alive: bool
    peer: str  # the client's address, without port
    index: dict[bytes, bytes] = field(repr=False)  # lower-case name -> first value
    # What the application derived from the head alone, Content-Length apart; later requests of that head find it here.
    memo: dict[Any, Any] = field(repr=False, compare=False)
    upgrade: bytes  # the protocol that the client wants to switch to (`websocket`), empty where it wants none
    incoming: Incoming | None = field(repr=False, compare=False)  # then `body` is empty

    def __init__(  # noqa: PLR0917 - in the order of the fields
        self,
        method: bytes,
        target: bytes,
        headers: Headers,
        body: bytes,
        http_version: str,
        keep_alive: bool,
        peer: str,
        index: dict[bytes, bytes] | None = None,
        memo: dict[Any, Any] | None = None,
        upgrade: bytes = b"",
        incoming: Incoming | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
        self.http_version = http_version
        self.keep_alive = keep_alive
        self.peer = peer
        self.index = {} if index is None else index
        self.memo = {} if memo is None else memo
        self.upgrade = upgrade
        self.incoming = incoming

    def get(self, lowercase_name: bytes) -> bytes | None:
        """The first value of a header."""
        return self.index.get(lowercase_name)

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]


class Reply:
    """The answer to one request: either `send`, or `start`, any number of `write`, and `end` or `abort`.

    Calls after the end, or after the client has gone, change nothing. Knows framing, not sockets: bytes go to `write`,
    and `finished(reusable)` is called once, when the last of them has been handed over.
    """

    __slots__ = (
        "_aborted",
        "_chunked",
        "_finished",
        "_left",
        "_request",
        "_state",
        "_switch",
        "_write",
        "keep_alive",
        "on_gone",
        "on_pause",
        "on_resume",
    )

    def __init__(
        self,
        request: Request,
        write: Callable[[bytes], None],
        finished: Callable[[bool], None],
        switch: Callable[[Side], None] | None = None,
    ) -> None:
        self.keep_alive = request.keep_alive
        self.on_gone: Callable[[], None] | None = None  # the client hung up before `end`
        self.on_pause: Callable[[], None] | None = None  # the client's socket is full: stop reading the upstream
        self.on_resume: Callable[[], None] | None = None
        self._request = request
        self._write = write
        self._finished = finished
        self._switch = switch
        self._state: Literal["waiting", "started", "ended"] = "waiting"
        self._aborted = False
        self._chunked = False
        self._left: int | None = None  # bytes of a declared length not yet written

    @property
    def started(self) -> bool:
        """Whether the head has gone out."""
        return self._state != "waiting"

    @property
    def cut(self) -> bool:
        """Whether it was aborted where only the connection's own end can tell: an orderly one would look like all."""
        return self._aborted and not self._chunked and self._left is None

    @property
    def ended(self) -> bool:
        """Whether nothing more can be written."""
        return self._state == "ended"

    def send(self, status: int, headers: Headers, body: bytes, own: tuple[bytes, ...] = ()) -> None:
        """The whole answer in one write; `own` is further header lines, without their ends."""
        if self._state != "waiting":
            return
        self._state = "ended"
        request = self._request
        self._mind_body()
        extra = own if self.keep_alive and request.http_version == "1.1" else own + self._connection()
        if framing.has_no_body(status):
            data = framing.response(status, headers, length=None, extra=extra)
        elif request.method == b"HEAD":
            data = framing.response(status, headers, length=len(body), extra=extra)
        else:
            data = framing.response(status, headers, length=len(body), extra=extra, body=body)
        self._write(data)
        self._finished(self.keep_alive)

    def start(self, status: int, headers: Headers, length: int | None, own: tuple[bytes, ...] = ()) -> None:
        """The head. `length` None: chunked, or until the connection closes for an HTTP/1.0 client."""
        if self._state != "waiting":
            return
        self._state = "started"
        self._mind_body()
        framed: tuple[bytes, ...] = ()
        if self._request.method == b"HEAD" or framing.has_no_body(status):
            length = framing.content_length(headers) if length is None else length
            self._left = -1
        elif length is not None:
            self._left = length
        elif self._request.http_version == "1.1":
            self._chunked = True
            framed = (framing.CHUNKED,)
        else:
            self.keep_alive = False
        if status == 204:
            length = None
        self._write(framing.response(status, headers, length=length, extra=own + framed + self._connection()))

    def write(self, data: bytes) -> None:
        """A piece of the body, sent at once."""
        if self._state != "started" or not data:
            return
        if self._chunked:
            self._write(framing.chunk(data))
        elif self._left is None:
            self._write(data)
        elif self._left >= 0:
            self._write_declared(data)

    def end(self, data: bytes = b"") -> None:
        """The last piece and the end of the body; a body shorter than declared becomes an `abort`."""
        if self._state != "started":
            return
        if self._chunked:
            self._write(framing.chunk(data) + framing.LAST_CHUNK)
        else:
            self.write(data)
            if self._left is not None and self._left > 0:
                self.abort()
                return
        self._end()

    def tunnel(self, headers: Headers, far: Side) -> None:
        """Switch to the protocol that the upstream has switched to; from here on the two speak with each other."""
        if self._state != "waiting" or self._switch is None:
            far.transport.abort()
            return
        self._state = "ended"
        lines = (b"Connection: Upgrade", b"Upgrade: " + self._request.upgrade)
        self._write(framing.response(101, headers, length=None, extra=lines))
        self._switch(far)

    def probe(self) -> bool:
        """Write what means nothing, to see whether a client that stopped sending still reads; False if nothing can be.

        To a client that waits for the answer that is an interim one, which it has to skip (RFC 9110 section 15.2); in
        a chunked body, a leading zero of the next chunk's size (RFC 9112 section 7.1).
        """
        if self._request.http_version != "1.1":
            return False
        if self._state == "waiting":
            self._write(framing.CONTINUE)
        elif self._chunked:
            self._write(b"0")
        return True

    def abort(self) -> None:
        """End without an end: what was written still goes out, and the client can tell that it is not all."""
        if self._state == "ended":
            return
        self._aborted = self._state == "started"
        self._state = "ended"
        self._finished(False)

    def fail(self) -> None:
        """The last resort for a bug behind us: an answer that says so, or a visible cut."""
        if self.started:
            self.abort()
            return
        headers = [(b"Content-Type", b"application/json"), (b"x-evogate-error", b"internal")]
        self.send(500, headers, framing.envelope("internal error", "server_error", code="internal"))

    def lose(self) -> None:
        """For the connection: the client is gone."""
        if self._state == "ended":
            return
        self._state = "ended"
        if self.on_gone is not None:
            self.on_gone()

    def _write_declared(self, data: bytes) -> None:
        assert self._left is not None
        if len(data) > self._left:
            raise ValueError(f"the body is {len(data) - self._left} bytes longer than its declared length")
        self._left -= len(data)
        self._write(data)

    def _mind_body(self) -> None:
        """An answer that comes before the request is whole is the last one: nobody reads the rest of the body."""
        incoming = self._request.incoming
        if incoming is not None and not incoming.ended:
            self.keep_alive = False

    def _connection(self) -> tuple[bytes, ...]:
        if not self.keep_alive:
            return (framing.CLOSE,)
        return () if self._request.http_version == "1.1" else (framing.KEEP_ALIVE,)

    def _end(self) -> None:
        self._state = "ended"
        self._finished(self.keep_alive)


OnRefused = Callable[[HttpError], Headers]  # of a request that never was one; gives headers for its answer
App = Callable[[Request, Reply], None]  # called on the loop when a request is complete; must not block
Passes = Callable[[Request], bool]  # by its head: whether a request's body goes to the application as it arrives


def refusal(error: HttpError, extra: Headers) -> bytes:
    """The whole answer to a request that can't be served."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    body = framing.envelope(str(error), kind, code=error.reason)
    headers = [(b"Content-Type", b"application/json"), (b"x-evogate-error", error.reason.encode()), *extra]
    return framing.response(error.status, headers, length=len(body), extra=(framing.CLOSE,), body=body)
