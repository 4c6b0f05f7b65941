"""One connection to an upstream: a thin shell around ResponseParser that carries one call at a time."""

import asyncio
from typing import TYPE_CHECKING, Final, cast

from gateway.http.calls import Call, UpgradeSink, WholeSink
from gateway.http.deadlines import NEVER
from gateway.http.errors import Kind, UpstreamError
from gateway.http.response_parser import ResponseParser
from gateway.http.tunnel import Side

if TYPE_CHECKING:
    from gateway.http.upstream import Pool

KEEP_IDLE_S: Final = 55.0  # below the 60 s after which many load balancers close


class UpstreamConnection:
    """Connecting, then in turn idle and busy with a call, then closed."""

    def __init__(self, pool: "Pool") -> None:
        self.deadline = NEVER
        self.connecting: asyncio.Task[None] | None = None
        self._pool = pool
        self._deadlines = pool.deadlines
        self._settings = pool.settings
        self._parser = ResponseParser()
        self._transport: asyncio.Transport | None = None
        self._call: Call | None = None
        self._served = 0
        self._too_old_at = NEVER
        self._reading = True
        self._phase: Kind = "timeout_connect"  # what it is when the deadline passes

    @property
    def usable(self) -> bool:
        """Whether a call may be sent on it."""
        return self._transport is not None and not self._transport.is_closing()

    def reserve(self, call: Call) -> None:
        """It is being opened for this call."""
        self._call = call
        call.connection = self
        self._set_deadline("timeout_connect", call.patience.connect_s)
        self._deadlines.watch(self)

    def send(self, call: Call) -> None:
        """Send the call's request; the connection is open and idle."""
        assert self._transport is not None
        self._call = call
        call.connection = self
        self._parser.begin(call.method, upgrade=call.upgrade)
        self._set_deadline("timeout_first_byte", call.patience.first_byte_s)
        self._transport.write(call.request)
        if call.upload is not None:
            call.upload.begin(self._upload)

    def _upload(self, data: bytes) -> None:
        """A piece of a body that is still arriving: the upstream has its time to answer from the last one on."""
        assert self._transport is not None
        call = self._call
        if call is None or self._transport.is_closing():
            return
        self._transport.write(data)
        if self._parser.untouched:
            self._set_deadline("timeout_first_byte", call.patience.first_byte_s)

    def read_on(self) -> None:
        """Read, or stop reading, as the call wants."""
        call = self._call
        if self._transport is None or call is None or self._reading is not call.paused:
            return
        self._reading = not call.paused
        if call.paused:
            self._transport.pause_reading()
            self.deadline = call.deadline
        else:
            self._transport.resume_reading()
            self._set_deadline("timeout_idle", call.patience.idle_s)

    def close(self) -> None:
        """Close at once; a call that is still on it fails."""
        self._retire()
        self.fail(UpstreamError("connect", "the connection was closed here"))

    def fail(self, error: UpstreamError) -> None:
        """Close at once, and end the call with this error."""
        self._retire()
        call, self._call = self._call, None
        if call is not None:
            call.fail(error)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open: send what it was opened for."""
        self._transport = cast("asyncio.Transport", transport)
        self.connecting = None
        self._too_old_at = self._deadlines.after(self._settings.max_connection_age_s)
        call = self._call
        if call is None or call.sink is None:  # given up meanwhile
            self._retire()
            return
        self.send(call)
        if call.paused:  # uvloop starts to read when this returns
            asyncio.get_running_loop().call_soon(self.read_on)

    def data_received(self, data: bytes) -> None:
        """Hand what came to the sink."""
        call = self._call
        if call is None:  # nobody asked: the upstream says goodbye
            self._retire()
            return
        parser = self._parser
        headless = not parser.status
        try:
            parser.feed(data)
        except UpstreamError as error:
            self._deliver(call, headless)
            self.fail(error)
            return
        if headless and call.takes_whole and parser.whole:
            self._complete(call)
        elif parser.status:
            self._deliver(call, headless)

    def pause_writing(self) -> None:
        """The upstream doesn't keep up."""
        if self._call is not None and self._call.upload is not None:
            self._call.upload.pause()

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._call is not None and self._call.upload is not None:
            self._call.upload.resume()

    def eof_received(self) -> bool:
        """The upstream closed its sending side; `connection_lost` follows."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of an answer without a length, or of a stale connection, or an error."""
        self._retire()
        call = self._call
        if call is None:
            return
        if exc is None or self._parser.untouched:
            self._ended(call)
        else:
            self.fail(UpstreamError("truncated", f"the upstream's connection broke: {exc}"))

    def on_deadline(self) -> None:
        """Too slow, or idle for long enough."""
        call = self._call
        if call is None:
            self._retire()
            return
        kind: Kind = "timeout_total" if self.deadline >= call.deadline else self._phase
        self.fail(UpstreamError(kind, _TIMEOUTS[kind]))

    # Inside

    def _deliver(self, call: Call, headless: bool) -> None:
        """Tell the sink; it may cancel the call at any of these points."""
        parser = self._parser
        sink = call.sink
        if parser.status == 101 and sink is not None:
            self._hand_over(call)
            return
        if headless and parser.status and sink is not None:
            call.request = b""  # it is not sent again: a stream may last for minutes, and a prompt be large
            sink.on_head(parser.status, parser.headers)
        data = parser.take()
        if data and call.sink is not None:
            call.sink.on_data(data)
        if call.sink is None:
            return
        if parser.complete:
            call.takes_whole = False
            self._complete(call)
        elif not call.paused:
            self._set_deadline("timeout_idle", call.patience.idle_s)

    def _complete(self, call: Call) -> None:
        """Free the connection first: the sink may call again at once."""
        self._call = None
        call.connection = None
        sink, call.sink = call.sink, None
        parser, transport = self._parser, self._transport
        if (
            parser.reusable
            and (call.upload is None or call.upload.whole)
            and self._deadlines.now < self._too_old_at
            and transport is not None
            and transport.get_write_buffer_size() == 0
        ):
            self._served += 1
            if not self._reading:
                self._reading = True
                transport.resume_reading()
            self.deadline = min(self._deadlines.after(KEEP_IDLE_S), self._too_old_at)
            self._pool.release(self)
        else:
            self._retire()
        if sink is None:
            return
        if call.takes_whole:
            cast("WholeSink", sink).on_whole(parser.status, parser.headers, parser.take(), parser.content_type)
        else:
            sink.on_end()

    def _hand_over(self, call: Call) -> None:
        """Another protocol is spoken now. The connection is still the pool's, and counts, until it has closed."""
        self._call = call.connection = None
        sink, call.sink = cast("UpgradeSink", call.sink), None
        self.deadline = NEVER
        self._deadlines.forget(self)

        def lost(_exc: Exception | None) -> None:
            self._retire()
            sink.on_end()

        assert self._transport is not None
        sink.on_upgrade(self._parser.headers, Side(self._transport, self._parser.rest, lost))

    def _ended(self, call: Call) -> None:
        """The upstream closed: a retry, a whole answer, or a truncated one."""
        if self._served and self._parser.untouched:  # a fresh connection has served nothing: it ends there
            self._call = None
            self._pool.open_for(call)
            return
        try:
            self._parser.feed_eof()
        except UpstreamError as error:
            self.fail(error)
            return
        self._deliver(call, headless=False)

    def _set_deadline(self, phase: Kind, seconds: float) -> None:
        self._phase = phase
        deadline = self._deadlines.after(seconds)
        call = self._call
        self.deadline = deadline if call is None or deadline < call.deadline else call.deadline

    def _retire(self) -> None:
        """Leave the pool and the watch, and close."""
        self.deadline = NEVER
        self._deadlines.forget(self)
        self._pool.drop(self)
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        if self._transport is not None:
            self._transport.abort()


_TIMEOUTS: Final[dict[Kind, str]] = {
    "timeout_connect": "the upstream did not accept a connection in time",
    "timeout_first_byte": "the upstream did not begin to answer in time",
    "timeout_idle": "the upstream stopped in the middle of its answer",
    "timeout_total": "the upstream took too long to answer in full",
}
