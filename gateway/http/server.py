"""The listening socket, its connections, and the drain at the end.

While it drains, the listener stays open as long as a connection from before lasts: whoever connects meanwhile is told
by `late` what is going on (a load balancer by `/ready`), where a closed port would look like a crash.
"""

import asyncio
import socket
from typing import Any, Final, cast

from config.gateway import Limits
from gateway.http.client_connection import ClientConnection
from gateway.http.known_heads import KnownHeads
from gateway.http.messages import App, OnRefused, Passes

__all__ = ["OnRefused", "Server", "serve"]

BACKLOG: Final = 2048


class Server:
    """A listening socket and its connections."""

    def __init__(
        self, app: App, limits: Limits, on_refused: OnRefused, passes: Passes | None = None, late: App | None = None
    ) -> None:
        self.app = app
        self.late = late or app
        self.passes = passes
        self.limits = limits
        self.on_refused = on_refused
        self.known_heads = KnownHeads(limits.header_bytes, limits.body_bytes)
        self.draining = False
        self.port = 0  # known once listening
        self._connections: set[ClientConnection] = set()
        self._late: set[ClientConnection] = set()  # those of them that came during the drain
        self._listener: asyncio.Server
        self._empty: asyncio.Event = asyncio.Event()
        self._empty.set()
        self._settled: asyncio.Event = asyncio.Event()  # nobody from before the drain is left
        self._settled.set()

    async def listen(
        self, host: str, port: int, *, reuse_port: bool = False, sock: socket.socket | None = None
    ) -> None:
        """Start accepting.

        Raises:
            OSError: the address can't be had.
        """
        loop = asyncio.get_running_loop()

        def connection() -> asyncio.Protocol:
            # Loops know a protocol by its methods; asyncio's class as a base would keep mypyc from compiling it.
            return cast("asyncio.Protocol", ClientConnection(self, loop))

        if sock is not None:
            self._listener = await loop.create_server(connection, sock=sock, backlog=BACKLOG)
        else:
            self._listener = await loop.create_server(
                connection, host, port, backlog=BACKLOG, reuse_port=reuse_port or None
            )
        sockets = cast("Any", self._listener).sockets  # a tuple, uvloop's a list
        self.port = int(sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def drain(self, grace_s: float) -> None:
        """Close the idle, let running answers end, then close the listener; after `grace_s` seconds close the rest."""
        self.draining = True
        self.app, self.passes = self.late, None
        for connection in list(self._connections):
            connection.wind_down()
        try:
            await asyncio.wait_for(self._end(), grace_s)
        except TimeoutError:
            await self.close()

    async def _end(self) -> None:
        await self._settled.wait()
        self._listener.close()
        for connection in list(self._connections):
            connection.part()
        await self._empty.wait()

    async def close(self) -> None:
        """Close everything at once; clients being answered are cut off and their `on_gone` is called."""
        self.draining = True
        self._listener.close()
        for connection in list(self._connections):
            connection.abort()
        await self._empty.wait()

    def admit(self, connection: ClientConnection) -> bool:
        """Take a connection in; False where there is no room for it to be served."""
        self._connections.add(connection)
        self._empty.clear()
        if self.draining:
            self._late.add(connection)
        else:
            self._settled.clear()
        return len(self._connections) <= self.limits.connections

    def leave(self, connection: ClientConnection) -> None:
        """It has closed."""
        self._connections.discard(connection)
        self._late.discard(connection)
        if len(self._connections) == len(self._late):
            self._settled.set()
        if not self._connections:
            self._empty.set()


async def serve(
    app: App,
    *,
    host: str,
    port: int,
    limits: Limits,
    reuse_port: bool = False,
    sock: socket.socket | None = None,
    on_refused: OnRefused = lambda _: [],
    passes: Passes | None = None,
    late: App | None = None,
) -> Server:
    """Start serving `app`; port 0 takes a free one. `sock` is a bound socket to use instead of host and port.

    `on_refused` hears of every request refused before it reached `app`, and gives headers for that answer.
    `passes` None: every body is whole before `app` is called. `late` answers, in place of `app` and one request each,
    connections that are made during the drain.

    Raises:
        OSError: the address can't be had.
    """
    server = Server(app, limits, on_refused, passes, late)
    await server.listen(host, port, reuse_port=reuse_port, sock=sock)
    return server
