"""The load generator: it keeps to its schedule, counts waiting as waiting, and finds what is broken."""

import asyncio
import contextlib
import math
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.generator import openloop, provider, streamload
from loadtests.generator.arrivals import MARK, numbered, poisson, ramp
from loadtests.generator.quantiles import quantile, summary
from loadtests.generator.stream import Stream

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    """A request with a mark."""
    return write_request(tmp_path, b'{"n": "0000000000"}')


def write_request(folder: Path, body: bytes) -> Path:
    path = folder / "request"
    path.write_bytes(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    return path


@contextlib.asynccontextmanager
async def serving(talk: Talk) -> AsyncIterator[int]:
    """A server on a free port; every client's connection is a `talk`, and is closed when the context is left."""
    talks: set[asyncio.Task[None]] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)

    def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.add(asyncio.create_task(served(reader, writer)))

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for task in talks:
        task.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


async def asked(reader: asyncio.StreamReader) -> bytes:
    """One whole request's body."""
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split()[0]))


async def load(port: int, path: Path, *, rate: float, seconds: float, connections: int) -> dict[str, float]:
    """One open-loop run, beside the loop that serves it."""

    def run() -> dict[str, float]:
        arrivals = poisson(rate, seconds, seed=1)
        return openloop.OpenLoop(port, numbered(path), arrivals, connections).run()

    return await asyncio.to_thread(run)


def test_poisson_arrivals_have_the_rate_and_bunch_up() -> None:
    at = list(poisson(1000.0, 20.0, seed=7))
    assert all(a <= b for a, b in pairwise(at))
    assert abs(len(at) - 20_000) < 4 * math.sqrt(20_000)
    gaps = [b - a for a, b in pairwise(at)]
    mean = sum(gaps) / len(gaps)
    spread = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert spread == pytest.approx(mean, rel=0.05)  # exponential: evenly spaced ones would have none
    assert at == list(poisson(1000.0, 20.0, seed=7))


def test_a_ramp_is_even() -> None:
    assert list(ramp(4, 2.0)) == [0.0, 0.5, 1.0, 1.5]


def test_no_two_requests_are_equal(request_file: Path) -> None:
    requests = numbered(request_file)
    some = [next(requests) for _ in range(100)]
    assert len(set(some)) == 100
    assert {len(one) for one in some} == {request_file.stat().st_size}
    assert MARK not in some[0]


def test_a_request_without_a_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="must stand there once"):
        next(numbered(write_request(tmp_path, b"{}")))


@given(st.lists(st.floats(0, 1e3), min_size=1), st.sampled_from([0.5, 0.9, 0.99, 0.999, 1.0]))
def test_a_quantile_is_the_smallest_value_that_enough_do_not_exceed(values: list[float], share: float) -> None:
    found = quantile(sorted(values), share)
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values)


def test_nothing_has_no_quantile() -> None:
    assert summary([]) == {"p50": 0.0, "p90": 0.0, "p99": 0.0, "p999": 0.0, "max": 0.0}


async def test_every_request_is_sent_and_counted(request_file: Path) -> None:
    bodies: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            bodies.append(await asked(reader))
            writer.write(ANSWER)

    async with serving(talk) as port:
        report = await load(port, request_file, rate=400.0, seconds=0.5, connections=4)
    assert report["sent"] == report["answered"] == len(bodies) == len(set(bodies))
    assert report["failed"] == 0
    assert report["sent"] == len(list(poisson(400.0, 0.5, seed=1)))


async def test_waiting_in_line_counts(request_file: Path) -> None:
    """The first answer stalls; a closed loop would have asked once meanwhile and reported one slow answer."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        await asyncio.sleep(0.4)
        writer.write(ANSWER)
        while True:
            await asked(reader)
            writer.write(ANSWER)

    async with serving(talk) as port:
        report = await load(port, request_file, rate=200.0, seconds=0.5, connections=1)
    assert report["failed"] == 0
    assert report["p50"] > 100.0
    assert report["max"] >= 390.0


async def test_refusals_are_no_answers(request_file: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")

    async with serving(talk) as port:
        report = await load(port, request_file, rate=200.0, seconds=0.1, connections=2)
    assert report["answered"] == 0
    assert report["failed"] == report["sent"] > 0


async def test_connections_that_break_are_counted_and_renewed(request_file: Path) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(ANSWER)
        await asked(reader)
        writer.write(ANSWER[:-1])  # cut short, then closed

    async with serving(talk) as port:
        report = await load(port, request_file, rate=200.0, seconds=0.2, connections=2)
    assert report["answered"] > 5
    assert report["failed"] > 5
    assert report["answered"] + report["failed"] == report["sent"]


async def test_what_is_never_answered_counts_as_long_as_it_waited(
    request_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openloop, "GRACE_S", 0.2)

    async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with serving(talk) as port:
        report = await load(port, request_file, rate=100.0, seconds=0.1, connections=2)
    assert report["answered"] == 0
    assert report["unanswered"] == len(list(poisson(100.0, 0.1, seed=1)))
    assert report["p50"] >= 200.0


async def test_streams_are_timed_and_counted(tmp_path: Path) -> None:
    path = write_request(tmp_path, b'{"bench": {"events": 8, "per_s": 40}, "n": "0000000000"}')
    loop = asyncio.get_running_loop()
    ticker = provider.Ticker(loop)
    server = await loop.create_server(lambda: provider.Client(ticker, b""), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        load = streamload.StreamLoad(port, numbered(path), count=20, ramp_s=0.1, lasts_s=0.2)
        report = await asyncio.to_thread(load.run)
    assert (report["began"], report["whole"], report["most_open"]) == (20, 20, 20)
    assert report["events"] == 20 * (8 + 1)  # and [DONE]
    assert report["seconds"] > 0.15
    assert report["p99"] > 0.0


async def test_streams_that_are_cut_or_refused_do_not_count_as_whole(tmp_path: Path) -> None:
    path = write_request(tmp_path, b'{"n": "0000000000"}')
    refused = iter([True, False] * 100)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        if next(refused):
            writer.write(b"HTTP/1.1 429 Busy\r\nContent-Length: 2\r\n\r\n\n\n")
        else:
            writer.write(provider.FIRST + provider.NEXT)

    async with serving(talk) as port:
        load = streamload.StreamLoad(port, numbered(path), count=6, ramp_s=0.05, lasts_s=0.1)
        report = await asyncio.to_thread(load.run)
    assert (report["began"], report["whole"], report["events"]) == (3, 0, 6)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
def test_events_are_counted_however_the_bytes_arrive(size: int) -> None:
    sent = provider.FIRST + provider.NEXT * 3 + provider.LAST_WITH_USAGE
    with socket.create_server(("127.0.0.1", 0)) as server:
        stream = Stream(server.getsockname()[1], b"", 0.0)
        peer, _ = server.accept()
        with peer, stream.socket:
            for start in range(0, len(sent), size):
                peer.sendall(sent[start : start + size])
                stream.socket.setblocking(True)
                stream.read(1.0)
                if stream.over:
                    break
    assert stream.whole
    assert stream.events == 1 + 3 + 1 + 1 + 1  # first, next, finish, usage, [DONE]
    assert stream.first_at == 1.0
