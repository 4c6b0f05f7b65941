"""The data plane's address, held for all workers: taken by one gateway alone, then shared among its workers.

A socket that is bound alone makes every other program's bind fail, and ours where another program has the address.
Marking it as shared afterwards lets our own workers (the same user's, SO_REUSEPORT) bind beside it. It never listens,
so the kernel gives it no connection; it keeps the port while no worker is up.
"""

import socket
from contextlib import ExitStack

from policies.errors import OperatorError


def reserve(host: str, port: int, stack: ExitStack) -> int:
    """Hold `host:port` until `stack` ends; the port (a free one where `port` is 0).

    Raises:
        OperatorError: it can't be had.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, address in dict.fromkeys(found):
            held = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            port = _hold(held, str(address[0]), port)
    except OSError as error:
        raise OperatorError(
            f"can't listen on {host}:{port} ({error.strerror or error}); stop what runs there, or choose another with "
            "--port"
        ) from error
    return port


def _hold(held: socket.socket, address: str, port: int) -> int:
    if held.family == socket.AF_INET6:
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may still be closing
    held.bind((address, port))
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return int(held.getsockname()[1])
