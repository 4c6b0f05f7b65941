"""Waiting for sockets until a moment that is met within microseconds.

uvloop and epoll round a wait to milliseconds: as much as the latencies that are measured. `select` takes
microseconds, and one epoll descriptor stands for any number of sockets.
"""

import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path

_SLACK = Path("/proc/self/timerslack_ns")  # the kernel may end a wait so much late; 50 us by default


class Wakeful:
    """Sockets that are waited for, each with what it belongs to."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, tuple[socket.socket, object]] = {}
        with contextlib.suppress(OSError):  # an old kernel: waits are 50 us coarser
            _SLACK.write_text("1000")

    def watch(self, sock: socket.socket, owner: object, *, writable: bool = False) -> None:
        """Wait until it can be read, or (while it connects) written."""
        self._epoll.register(sock, select.EPOLLOUT if writable else select.EPOLLIN)
        self._watched[sock.fileno()] = (sock, owner)

    def connected(self, sock: socket.socket) -> None:
        """From now on wait until it can be read."""
        self._epoll.modify(sock, select.EPOLLIN)

    def forget(self, sock: socket.socket) -> None:
        """Wait for it no longer, and close it."""
        self._watched.pop(sock.fileno(), None)
        sock.close()

    def close(self) -> None:
        """Close everything that is still watched."""
        for sock, _ in self._watched.values():
            sock.close()
        self._epoll.close()

    def wait(self, seconds: float) -> Iterator[object]:
        """The owners of sockets that are ready; none where `seconds` pass without one."""
        if seconds > 0:
            select.select([self._epoll.fileno()], [], [], seconds)
        for number, _ in self._epoll.poll(0):
            if number in self._watched:
                yield self._watched[number][1]
