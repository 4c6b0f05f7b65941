"""`python -m loadtests.generator.openloop`: requests at a fixed rate, whatever the answers do.

1. A latency counts from the moment for which the request was scheduled, so that waiting for a slow answer to an earlier
   one is waiting (a closed loop would ask less often instead: coordinated omission).
2. Connections are kept alive and carry one request at a time; where all are busy, requests wait in line.
3. A request that was not answered within the grace period counts as long as it has waited.
"""

import argparse
import json
import time
from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.generator.arrivals import numbered, poisson
from loadtests.generator.connection import Broken, Connection
from loadtests.generator.quantiles import quantile, summary
from loadtests.generator.wakeful import Wakeful

GRACE_S = 5.0
LEAD_S = 0.1  # between the connecting and the first arrival


@dataclass
class Counts:
    """What came of the requests; times in seconds."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    late: "array[float]" = field(default_factory=lambda: array("d"))  # how late the generator was, a connection free
    sent: int = 0
    answered: int = 0  # whole, with a status of 200 to 299
    refused: int = 0  # whole, with another status
    broken: int = 0
    unanswered: int = 0

    def report(self, seconds: float) -> dict[str, float]:
        """Times in milliseconds; `seconds` from the first arrival to the end."""
        return {
            "sent": self.sent,
            "answered": self.answered,
            "failed": self.refused + self.broken + self.unanswered,
            "unanswered": self.unanswered,
            "seconds": seconds,
            "cpu_s": time.process_time(),
            "late_p99": quantile(sorted(self.late), 0.99) * 1e3,
            **summary(self.latencies),
        }


class OpenLoop:
    """One run against one address."""

    def __init__(self, port: int, requests: Iterator[bytes], arrivals: Iterator[float], connections: int) -> None:
        self.counts = Counts()
        self._port = port
        self._requests = requests
        self._arrivals = arrivals
        self._wakeful = Wakeful()
        self._idle = [self._connect() for _ in range(connections)]
        self._busy: set[Connection] = set()
        self._line: deque[float] = deque()
        self._next = next(arrivals, None)
        self._last = 0.0
        self._start = 0.0

    def run(self) -> dict[str, float]:
        """Send everything, wait for the answers; the report."""
        self._start = time.perf_counter() + LEAD_S
        while self._next is not None or self._busy:
            self._arrive()
            until = self._next if self._next is not None else self._last + GRACE_S
            if self._next is None and self._now() >= until:
                break
            for owner in self._wakeful.wait(until - self._now()):
                assert isinstance(owner, Connection)
                self._receive(owner)
        seconds = self._now()
        self._give_up(seconds)
        self._wakeful.close()
        return self.counts.report(seconds)

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _arrive(self) -> None:
        """Take up everything whose time has come."""
        now = self._now()
        while self._next is not None and self._next <= now:
            if self._idle:
                self.counts.late.append(now - self._next)
            self._line.append(self._next)
            self._send()
            self._last, self._next = self._next, next(self._arrivals, None)

    def _send(self) -> None:
        """Whatever waits in line and finds a connection."""
        while self._line and self._idle:
            connection, due = self._idle.pop(), self._line.popleft()
            self.counts.sent += 1
            try:
                connection.send(next(self._requests), due)
            except Broken:
                self.counts.broken += 1
                self._renew(connection)
            else:
                self._busy.add(connection)

    def _receive(self, connection: Connection) -> None:
        if connection not in self._busy:  # closed while it was idle: nothing was lost
            self._idle.remove(connection)
            self._renew(connection)
            return
        try:
            if connection.receive():
                self._settle(connection)
        except Broken:
            self.counts.broken += 1
            self._busy.discard(connection)
            self._renew(connection)
        self._send()

    def _settle(self, connection: Connection) -> None:
        """The answer is whole."""
        self.counts.latencies.append(self._now() - connection.due)
        if 200 <= connection.status < 300:
            self.counts.answered += 1
        else:
            self.counts.refused += 1
        self._busy.discard(connection)
        if connection.closing:
            self._renew(connection)
        else:
            self._idle.append(connection)

    def _renew(self, connection: Connection) -> None:
        self._wakeful.forget(connection.socket)
        self._idle.append(self._connect())

    def _connect(self) -> Connection:
        connection = Connection(self._port)
        self._wakeful.watch(connection.socket, connection)
        return connection

    def _give_up(self, now: float) -> None:
        waiting = [connection.due for connection in self._busy] + list(self._line)
        self.counts.unanswered = len(waiting)
        self.counts.latencies.extend(now - due for due in waiting)


def main() -> None:
    """One run; prints the report as one line of JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--request", type=Path, required=True, help="file with the request, head and body")
    options.add_argument("--rate", type=float, required=True, help="requests a second")
    options.add_argument("--seconds", type=float, required=True)
    options.add_argument("--connections", type=int, default=64)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    arrivals = poisson(given.rate, given.seconds, given.seed)
    print(json.dumps(OpenLoop(given.port, numbered(given.request), arrivals, given.connections).run()))


if __name__ == "__main__":
    main()
