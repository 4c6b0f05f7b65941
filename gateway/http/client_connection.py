"""One client's connection: a thin shell around RequestParser and Reply. Requests are answered one by one, in order."""

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from gateway.http import framing, hangups
from gateway.http.deadlines import NEVER, deadlines_of
from gateway.http.incoming import Incoming
from gateway.http.messages import HttpError, Reply, Request, refusal
from gateway.http.request_parser import RequestParser, Stage
from gateway.http.tunnel import Side, Tunnel

if TYPE_CHECKING:
    from gateway.http.server import Server

PIPELINED = 16  # requests that may wait behind the one being answered before reading stops
WRITE_BUFFER_BYTES = 131_072  # beyond it `on_pause`, below a quarter of it `on_resume`
BODY_BYTES_PER_S = 1000  # a body that arrives more slowly than this times out
EARLY_BYTES = 65_536  # that a client may send behind an offer to switch protocols before it is answered
LINGER_S = 2.0  # after a refusal: a client still sending gets to read why, instead of a reset

logger = logging.getLogger(__name__)


class ClientConnection:
    """In turn waiting for a request, receiving one, and answering; then closing."""

    def __init__(self, server: "Server", loop: asyncio.AbstractEventLoop) -> None:
        self.deadline = NEVER
        self._server = server
        self._app = server.app
        self._limits = server.limits
        self._keepalive_s = server.limits.keepalive_s
        self._loop = loop
        self._deadlines = deadlines_of(loop)
        self._transport: asyncio.Transport
        self._parser: RequestParser
        self._waiting: list[Request] = []  # no deque: an empty one takes 0.7 KB
        self._reply: Reply | None = None
        self._incoming: Incoming | None = None  # the body of the request being answered, until all of it has come
        self._pumping = False
        self._paused = False  # the client doesn't read
        self._unread = 0  # bytes that it had not read when last looked at
        self._reading = True
        self._closing = False  # nothing more is read from it
        self._half_closed = False  # the client sends nothing more

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet it, or turn it away when there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES // 4)
        peer = transport.get_extra_info("peername")
        address = peer[0] if isinstance(peer, tuple) else ""
        self._parser = RequestParser(self._limits, address, self._server.known_heads, self._server.passes)
        self.deadline = self._deadlines.after(self._limits.header_timeout_s)
        self._deadlines.watch(self)
        if not self._server.admit(self):
            self._refuse(HttpError(503, "too many connections; try again later"))

    def data_received(self, data: bytes) -> None:
        """Parse, queue, answer."""
        if self._closing:
            return
        parser = self._parser
        before = parser.stage
        self._waiting.extend(parser.feed(data))
        self._pump()
        if self._incoming is not None and self._arrived(self._incoming, before, len(data)):
            return
        if self._reply is not None:
            wanted = len(self._waiting) < PIPELINED and len(parser.rest) < EARLY_BYTES
            if parser.incoming is not None:
                wanted = wanted and not parser.incoming.full
            if wanted is not self._reading:
                self._read_on(wanted)
        elif parser.stage != "idle" and not self._closing:
            self._grant_time(before, len(data))

    def eof_received(self) -> bool:
        """The client closed its sending side, and perhaps all of it: TCP says the same to both (see `_look`)."""
        reply = self._reply
        if self._closing or (reply is None and not self._waiting):
            return False
        silent = not hangups.TELLS or (reply is not None and not reply.probe())
        if silent or self._parser.incoming is not None:
            self._transport.abort()
            return False
        self._half_closed = True
        if reply is not None and not self._waiting:
            reply.keep_alive = False
        self._loop.call_soon(self._look)
        return True

    def _look(self) -> None:
        """Give up on a client that is gone. Looked at now, which is enough on one machine, and at every tick."""
        if self._transport.is_closing() or self._reply is None or not hangups.TELLS:
            return
        if hangups.reset(self._transport):
            self._transport.abort()
        elif not self._paused:
            self.deadline = self._deadlines.after(0)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Tell the application at once: whatever the upstream still does for this client costs money."""
        self._deadlines.forget(self)
        self._server.leave(self)
        self._waiting.clear()
        self._lose()

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
        self.deadline = self._deadlines.after(0) if self._half_closed else NEVER
        if reply.on_resume is not None:
            reply.on_resume()

    def on_deadline(self) -> None:
        """A client that is too slow, or has nothing more to ask, or is perhaps gone."""
        if self._half_closed and self._reply is not None and not self._paused:
            self._look()
            return
        unread = self._transport.get_write_buffer_size()
        if unread and unread < self._unread:  # slow, but it reads
            self._unread = unread
            self.deadline = self._deadlines.after(self._limits.keepalive_s)
        elif self._paused or self._closing:
            self._transport.abort()
        elif self._parser.stage != "idle":
            self._refuse(HttpError(408, "the request did not arrive in time"))
        else:
            self.close()

    # The life of requests

    @property
    def idle(self) -> bool:
        """Whether no request is being received, waiting or answered."""
        return self._reply is None and not self._waiting and self._parser.stage == "idle"

    def wind_down(self) -> None:
        """Close now if idle, or else behind the running answer. What closes already, or is a tunnel, ends by itself."""
        if self.idle and not self._closing:
            self.close()
        elif self._reply is not None:
            self._reply.keep_alive = False

    def part(self) -> None:
        """Close, whatever it may still want to ask; behind the running answer, if there is one."""
        if self._reply is None and not self._closing:
            self.close()

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
                self._dispatch(self._waiting.pop(0))
        finally:
            self._pumping = False
        if self._reply is None and not self._waiting and not self._closing:
            self._after_last()

    def _dispatch(self, request: Request) -> None:
        self.deadline = NEVER
        reply = self._reply = Reply(request, self._transport.write, self._finished, self._switch)
        if request.incoming is not None and not request.incoming.ended:
            self._incoming = request.incoming
            self._incoming.on_wanted = self._wanted
        if self._server.draining or (self._half_closed and not self._waiting):
            reply.keep_alive = False
        try:
            self._app(request, reply)
        except Exception:
            logger.exception("the application failed on %r %r", request.method, request.path)
            reply.fail()

    def _finished(self, reusable: bool) -> None:
        reply, self._reply = self._reply, None
        if not reusable:
            unread = self._incoming is not None
            self._lose()
            if reply is not None and reply.cut:
                hangups.end_with_reset(self._transport)
                unread = False
            (self._linger if unread else self.close)()
        elif self._waiting:
            self._pump()
        elif not self._pumping:
            self._after_last()

    def _switch(self, far: Side) -> None:
        """Leave the connection to the two that speak another protocol over it now; the server still counts it."""
        self._reply = None
        self._closing = True
        self._deadlines.forget(self)
        near = Side(self._transport, self._parser.rest, self.connection_lost)
        Tunnel(near, far, self._limits.tunnel_idle_s, self._deadlines)

    def _after_last(self) -> None:
        """Nothing is being answered: wait for the next request, say what is wrong, or ask for the body."""
        parser = self._parser
        if parser.error is not None:
            self._refuse(parser.error)
            return
        if self._half_closed:
            self.close()
            return
        if not self._reading:
            self._read_on(True)
        if parser.stage == "idle":
            self.deadline = self._deadlines.after(self._keepalive_s)
        else:
            self._receive()

    def _receive(self) -> None:
        """Let the client send on."""
        if self._parser.take_expectation():
            self._transport.write(framing.CONTINUE)
        if self.deadline == NEVER:  # it began to arrive while another was answered
            self.deadline = self._deadlines.after(self._limits.header_timeout_s)

    def _grant_time(self, before: Stage, received: int) -> None:
        """A head has its timeout and no more; a body earns time by arriving, but never more than that ahead."""
        earned = received / BODY_BYTES_PER_S if before == "body" else 0.0
        most = self._deadlines.after(self._limits.header_timeout_s)
        self.deadline = most if self._parser.stage != before else min(most, self.deadline + earned)

    def _read_on(self, wanted: bool) -> None:
        if wanted is not self._reading and not self._half_closed:
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def _refuse(self, error: HttpError) -> None:
        """Answer with the error, unless another answer has begun."""
        begun = self._reply is not None and self._reply.started
        self._lose()
        if begun:
            self.abort()
            return
        self._transport.write(refusal(error, self._server.on_refused(error)))
        self._linger()

    def _linger(self) -> None:
        """Close our side and read on for a while: a client still sending gets to read the answer."""
        self._closing = True
        self._waiting.clear()
        self._transport.write_eof()
        self._read_on(True)
        self.deadline = self._deadlines.after(LINGER_S)

    def _lose(self) -> None:
        """Nobody takes any more of the request, or waits for its answer."""
        reply, self._reply = self._reply, None
        if self._incoming is not None:
            self._incoming.stop()
            self._incoming = None
        if reply is not None:
            reply.lose()

    # Bodies that go on as they arrive

    def _arrived(self, incoming: Incoming, before: Stage, received: int) -> bool:
        """Hand on what has come of the body; False when that was all of it."""
        incoming.flow()
        if self._parser.error is not None:
            self._refuse(self._parser.error)
        elif incoming.ended:
            self._incoming = None
            self.deadline = NEVER
            return False
        elif incoming.full:
            self.deadline = NEVER
            self._read_on(False)
        else:
            self._grant_time(before, received)
        return True

    def _wanted(self) -> None:
        """The upstream takes more of the body."""
        if self._parser.error is not None:
            self._refuse(self._parser.error)
        else:
            self.deadline = NEVER
            self._read_on(True)
            self._receive()
