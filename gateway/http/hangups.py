"""What TCP tells of a client that is gone, and what it can be made to tell a client.

The end of what a client sends may be the end of its sending or of the client: both look the same. One that has only
stopped sending gets its answer: what goes with `shutdown` is legal. One that has closed is reset by its own kernel as
soon as anything is sent to it, which is what a probe is for (`Reply.probe`); nobody tells us, as there is nothing left
to read, so the state of the socket is looked at. A client of HTTP/1.0 can't be probed and counts as gone: nginx speaks
it to its upstreams, and it never closes by halves.
"""

import asyncio
import socket
from struct import pack

_TCP_INFO: int | None = getattr(socket, "TCP_INFO", None)  # Linux has it; elsewhere EOF is taken for a hang-up
_TCP_CLOSE = 7  # a state in the first byte of TCP_INFO (linux/tcp.h): reset
_AT_ONCE = pack("ii", 1, 0)  # linger for no time: what is not yet sent is dropped, and the peer hears a reset

TELLS = _TCP_INFO is not None  # whether `reset` can tell


def reset(transport: asyncio.Transport) -> bool:
    """Whether the peer has reset the connection."""
    assert _TCP_INFO is not None
    sock: socket.socket = transport.get_extra_info("socket")
    return sock.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, 1)[0] == _TCP_CLOSE


def end_with_reset(transport: asyncio.Transport) -> None:
    """Let the connection end with a reset, which no client can take for an answer's end."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
