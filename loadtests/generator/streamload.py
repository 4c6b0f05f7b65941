"""`python -m loadtests.generator.streamload`: opens streams at fixed moments, holds them, and counts their events.

The time to the first event counts from the moment for which the stream was scheduled, connecting included.
"""

import argparse
import json
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from loadtests.generator.arrivals import numbered, ramp
from loadtests.generator.quantiles import summary
from loadtests.generator.stream import Stream
from loadtests.generator.wakeful import Wakeful

GRACE_S = 10.0


class StreamLoad:
    """One run: `count` streams within `ramp_s`, over when all have ended or the grace period has."""

    def __init__(self, port: int, requests: Iterator[bytes], *, count: int, ramp_s: float, lasts_s: float) -> None:
        self._port = port
        self._requests = requests
        self._count = count
        self._window = (int(ramp_s) + 1, int(lasts_s))  # whole seconds in which every stream should be open
        self._ends = ramp_s + lasts_s + GRACE_S
        self._due = ramp(count, ramp_s)
        self._wakeful = Wakeful()
        self._open: set[Stream] = set()
        self._firsts: array[float] = array("d")
        self._per_second: Counter[int] = Counter()
        self._flowing = 0  # open, the first event seen
        self._most_open = 0
        self._whole = 0

    def run(self) -> dict[str, float]:
        """Open, read, close; the report."""
        start = time.perf_counter()
        due = next(self._due, None)
        while (due is not None or self._open) and (now := time.perf_counter() - start) < self._ends:
            while due is not None and due <= now:
                self._begin(due)
                due = next(self._due, None)
            for owner in self._wakeful.wait((due if due is not None else self._ends) - now):
                assert isinstance(owner, Stream)
                self._advance(owner, time.perf_counter() - start)
        self._wakeful.close()
        return self._report(time.perf_counter() - start)

    def _begin(self, due: float) -> None:
        stream = Stream(self._port, next(self._requests), due)
        self._open.add(stream)
        self._wakeful.watch(stream.socket, stream, writable=True)

    def _advance(self, stream: Stream, now: float) -> None:
        """It can be written (once), or read."""
        before = stream.events
        if stream.asked:
            stream.read(now)
        else:
            stream.ask()
            self._wakeful.connected(stream.socket)
        if stream.events and not before:
            self._firsts.append(stream.first_at - stream.due)
            self._flowing += 1
            self._most_open = max(self._most_open, self._flowing)
        self._per_second[int(now)] += stream.events - before
        if stream.over:
            self._open.discard(stream)
            self._wakeful.forget(stream.socket)
            self._whole += stream.whole
            self._flowing -= stream.events > 0

    def _report(self, seconds: float) -> dict[str, float]:
        """Times in milliseconds; `events_per_s` while all streams should have been open."""
        begin, end = self._window
        began = len(self._firsts)
        self._firsts.extend([seconds] * (self._count - began))  # what never began has waited for all of the run
        held = sum(self._per_second[second] for second in range(begin, end))
        return {
            "streams": self._count,
            "began": began,
            "most_open": self._most_open,
            "whole": self._whole,
            "events": self._per_second.total(),
            "events_per_s": held / max(end - begin, 1),
            "seconds": seconds,
            "cpu_s": time.process_time(),
            **summary(self._firsts),
        }


def main() -> None:
    """One run; prints the report as one line of JSON."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--request", type=Path, required=True, help="file with the request, head and body")
    options.add_argument("--streams", type=int, required=True)
    options.add_argument("--ramp", type=float, required=True, help="seconds in which they are opened")
    options.add_argument("--lasts", type=float, required=True, help="seconds that a stream lasts")
    given = options.parse_args()
    requests = numbered(given.request)
    load = StreamLoad(given.port, requests, count=given.streams, ramp_s=given.ramp, lasts_s=given.lasts)
    print(json.dumps(load.run()))


if __name__ == "__main__":
    main()
