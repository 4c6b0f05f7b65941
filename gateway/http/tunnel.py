"""Two connections joined: after a protocol switch, bytes pass both ways as they come, and nobody looks at them.

1. A side that doesn't keep up stops the reading of the other: at most a write buffer and one read are held each way.
2. What closes one side closes the other, behind the bytes that are on their way to it. (No protocol that HTTP is
   switched to lives on half a connection: both sides of a WebSocket say goodbye in frames first.)
3. When nothing has moved for the idle timeout, both are cut.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gateway.http.deadlines import Deadlines

WRITE_BUFFER_BYTES = 131_072


@dataclass(slots=True)
class Side:
    """A connection that has switched protocols, before it is joined to another."""

    transport: asyncio.Transport
    early: bytes  # came behind the head
    on_lost: Callable[[Exception | None], None]  # called once, when it has closed


class Tunnel:
    """Begins as it is made."""

    def __init__(self, one: Side, other: Side, idle_s: float, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._idle_s = idle_s
        self.deadline = deadlines.after(idle_s)
        self._ends = _End(self, one), _End(self, other)
        self._ends[0].join(self._ends[1])
        self._ends[1].join(self._ends[0])
        deadlines.watch(self)

    def moved(self) -> None:
        """Bytes came."""
        self.deadline = self._deadlines.after(self._idle_s)

    def close(self) -> None:
        """One side has closed: close the other behind what is on its way to it."""
        for end in self._ends:
            end.close()

    def on_deadline(self) -> None:
        """Nothing has moved for too long, be it that nobody spoke or that nobody read."""
        self._deadlines.forget(self)
        for end in self._ends:
            end.abort()

    def lost(self) -> None:
        """A side is gone."""
        self.close()
        if all(end.gone for end in self._ends):
            self._deadlines.forget(self)


class _End(asyncio.Protocol):
    """What reads one side and writes to the other."""

    def __init__(self, tunnel: Tunnel, side: Side) -> None:
        self.gone = False
        self._tunnel = tunnel
        self._side = side
        self._transport = side.transport
        self._reading = True
        self._other: _End

    def join(self, other: "_End") -> None:
        """Take over the connection and pass on what came early."""
        self._other = other
        self._transport.set_write_buffer_limits(WRITE_BUFFER_BYTES, WRITE_BUFFER_BYTES // 4)
        self._transport.set_protocol(self)
        if self._side.early:
            other.write(self._side.early)

    def write(self, data: bytes) -> None:
        """Bytes of the other side."""
        self._transport.write(data)

    def read_on(self, wanted: bool) -> None:
        """Read, or wait until the other side has caught up."""
        if wanted is not self._reading and not self._transport.is_closing():
            self._reading = wanted
            (self._transport.resume_reading if wanted else self._transport.pause_reading)()

    def close(self) -> None:
        """After what is in the buffer."""
        self._transport.close()

    def abort(self) -> None:
        """At once."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self._tunnel.moved()
        self._other.write(data)

    def eof_received(self) -> bool:
        """As good as closed."""
        self._tunnel.close()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The same for the other."""
        self.gone = True
        self._tunnel.lost()
        self._side.on_lost(exc)

    def pause_writing(self) -> None:
        """This side doesn't keep up."""
        self._other.read_on(False)

    def resume_writing(self) -> None:
        """It has caught up."""
        self._tunnel.moved()
        self._other.read_on(True)
