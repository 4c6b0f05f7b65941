"""One stream of the generator: opened on time, then only read."""

import socket

from loadtests.generator.connection import HOST

EVENT_END = b"\n\n"
TERMINATOR = b"data: [DONE]\n\n"
TAIL = 16  # bytes: no less than the longest of these, and than `HTTP/1.1 200 OK`


class Stream:
    """A request for server-sent events, and what has come of it. Times are seconds of the run."""

    __slots__ = ("_accepted", "_request", "_tail", "due", "events", "first_at", "over", "socket", "whole")

    def __init__(self, port: int, request: bytes, due: float) -> None:
        """Begin to connect, without waiting for it."""
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex((HOST, port))
        self.due = due
        self.first_at = 0.0
        self.events = 0
        self.over = False
        self.whole = False
        self._request: bytes | None = request
        self._accepted = False  # the status is 200
        self._tail = b""  # what an end, or the status line, may have begun in

    @property
    def asked(self) -> bool:
        """Whether the request has gone out."""
        return self._request is None

    def ask(self) -> None:
        """The connection stands: send the request."""
        assert self._request is not None
        try:
            self.socket.sendall(self._request)
        except OSError:
            self.over = True
        self._request = None

    def read(self, now: float) -> None:
        """Take what there is. The first event is timed by `now`; the end makes the stream `over`."""
        try:
            data = self.socket.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        seen, before = self._tail + data, self._tail
        if not self._accepted:
            line, ends, _ = seen.partition(b"\r\n")
            self._accepted = b" 200 " in line
            if ends and not self._accepted:
                self.over = True
                return
        ended = seen.count(EVENT_END) - before.count(EVENT_END)
        if ended and not self.events:
            self.first_at = now
        self.events += ended
        self.whole = TERMINATOR in seen
        self.over = self.whole or not data
        self._tail = seen[-TAIL:]
