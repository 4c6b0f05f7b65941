"""`python -m loadtests.path`: processor time of a covered request's way through the gateway, without sockets.

The whole gateway of `make bench` with everything on, but for the kernel: clients and the provider are objects that
take and give bytes in this process, 32 at a time, as many answers to a commit. What is left out is what no change of
ours makes faster. The smallest of several rounds is the figure to compare, beside a fixed loop of the interpreter's
that tells how fast the machine is just now. For a count of instructions, which no busy machine disturbs:

    valgrind --tool=cachegrind --cache-sim=no .venv/bin/python -m loadtests.path --rounds 1 --requests N

for two values of N; the difference, by the difference of N, is one request's.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import uvloop

from config.loader import load
from gateway.http.client_connection import ClientConnection
from gateway.http.upstream import Pool
from gateway.http.upstream_connection import UpstreamConnection
from gateway.process import Process
from gateway.workers.runtime import quieten_collector
from loadtests.bench.evogate import Gateway
from loadtests.bench.nginx import ANSWER
from loadtests.bench.targets import EVERYTHING, Target
from loadtests.generator.arrivals import MARK

CLIENTS = 32
LOOP = 1_000_000  # steps of the fixed loop
RELAYED = ("x-evogate-bypass: 1",)


class Wire:
    """A transport that takes bytes and counts writes."""

    def __init__(self) -> None:
        self.written = 0
        self.last = b""

    def write(self, data: bytes) -> None:
        self.written += 1
        self.last = data

    def get_write_buffer_size(self) -> int:
        return 0

    def get_extra_info(self, _name: str) -> None:
        return None

    def set_write_buffer_limits(self, _high: int, _low: int) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


class Gauge:
    """A running gateway between clients and a provider that are objects."""

    def __init__(self, process: Process, headers: tuple[str, ...]) -> None:
        answer = json.dumps(ANSWER).encode()
        self._answer = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\n"
        self._answer += b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n%b" % (len(answer), answer)
        head, _, self._tail = Target("path", 0, headers=headers).request().partition(MARK)
        self._head = head
        self._number = 0
        loop = asyncio.get_running_loop()
        route = process.worker.core.epoch.default_route
        assert route is not None
        self._pool = cast("Pool", route.pool)
        self.clients = [ClientConnection(process.server, loop) for _ in range(CLIENTS)]
        self._wires = [Wire() for _ in self.clients]
        for client, wire in zip(self.clients, self._wires, strict=True):
            client.connection_made(cast("asyncio.Transport", wire))
        self._up = {}
        for _ in range(CLIENTS):
            connection, wire = UpstreamConnection(self._pool), Wire()
            connection.connection_made(cast("asyncio.Transport", wire))
            self._up[connection] = wire
            self._pool.release(connection)

    def requests(self) -> list[bytes]:
        """One for each client, no two alike."""
        first, self._number = self._number, self._number + CLIENTS
        return [b"%b%010d%b" % (self._head, number, self._tail) for number in range(first, self._number)]

    async def turn(self) -> float:
        """Every client asks once and is answered; processor seconds."""
        asked = self.requests()
        began = time.process_time()
        for client, data in zip(self.clients, asked, strict=True):
            client.data_received(data)
        await asyncio.sleep(0)
        for connection, wire in self._up.items():
            if wire.written:
                wire.written = 0
                connection.data_received(self._answer)
        await asyncio.sleep(0)
        return time.process_time() - began

    def check(self, turns: int) -> None:
        """Every client has had all of its answers."""
        for wire in self._wires:
            assert wire.written == turns, f"{wire.written} answers of {turns}"
            assert wire.last.startswith(b"HTTP/1.1 200 "), wire.last
            wire.written = 0


def interpreter_us() -> float:
    """Microseconds that a thousand steps of the fixed loop take."""
    began, total = time.process_time(), 0
    for i in range(LOOP):
        total += i
    return (time.process_time() - began) / LOOP * 1e9


async def measure(folder: Path, *, requests: int, rounds: int, headers: tuple[str, ...]) -> dict[str, Any]:
    """The least of the rounds."""
    gateway = Gateway.prepare(EVERYTHING, folder, 9)
    process = Process(gateway.config, load(gateway.config, {}), gateway.home, port=0)
    async with process.serving():
        await asyncio.to_thread(gateway.populate)
        path = Gauge(process, headers)
        quieten_collector()
        turns = max(1, requests // CLIENTS)
        for _ in range(5):
            await path.turn()
        path.check(5)
        least, speed = float("inf"), float("inf")
        for _ in range(rounds):
            spent = 0.0
            for _ in range(turns):
                spent += await path.turn()
            path.check(turns)
            least, speed = min(least, spent / (turns * CLIENTS)), min(speed, interpreter_us())
        for client in path.clients:
            client.connection_lost(None)
    return {"us": least * 1e6, "interpreter_us": speed, "ratio": least * 1e6 / speed}


def main() -> int:
    """Measure and print."""
    options = argparse.ArgumentParser(prog="python -m loadtests.path", description=__doc__)
    options.add_argument("--requests", type=int, default=6400, help="in a round (default 6400)")
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--relay", action="store_true", help="the plain relay instead of everything on")
    options.add_argument("--json", action="store_true")
    given = options.parse_args()
    headers = RELAYED if given.relay else ()
    with tempfile.TemporaryDirectory(prefix="evogate-path-") as folder:
        run: Callable[..., Any] = measure
        found = uvloop.run(run(Path(folder), requests=given.requests, rounds=given.rounds, headers=headers))
    if given.json:
        print(json.dumps(found))
    else:
        print(
            f"{found['us']:.1f} us of processor time a request, {found['ratio']:.2f} times a thousand steps of the "
            f"interpreter's loop ({found['interpreter_us']:.1f} us)"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
