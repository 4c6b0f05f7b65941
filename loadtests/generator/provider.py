"""`python -m loadtests.generator.provider`: a provider that streams timed events, as nginx can't.

1. A request's `"bench": {"events": n, "per_s": r}` says how many events it streams, at which rate; without it the
   whole answer comes at once. Whatever stands between passes unknown fields on.
2. Head and first event go out in one write, every later event in one of its own: a head written apart would add 40 ms
   of delayed acknowledgement to every figure.
3. One timer serves all streams; each keeps its own phase.
"""

import argparse
import asyncio
import json
from collections import defaultdict
from typing import Any, cast

import httptools
import uvloop

TICK_S = 0.005
BACKLOG = 4096
WHOLE_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
STREAM_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    """One event of a chat completion stream."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    value = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1767225600, "model": "bench-large"}
    return b"data: " + json.dumps({**value, "choices": [choice]}, separators=(",", ":")).encode() + b"\n\n"


def usage_event() -> bytes:
    """What a client gets that asks for `include_usage`."""
    value = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1767225600, "model": "bench-large"}
    usage = {"prompt_tokens": 61, "completion_tokens": 88, "total_tokens": 149}
    return b"data: " + json.dumps({**value, "choices": [], "usage": usage}, separators=(",", ":")).encode() + b"\n\n"


FIRST = STREAM_HEAD + chunk(event({"role": "assistant", "content": "Your"}))
NEXT = chunk(event({"content": " parcel"}))
FINISH = event({}, "stop")
DONE = b"data: [DONE]\n\n"
LAST = chunk(FINISH + DONE) + b"0\r\n\r\n"
LAST_WITH_USAGE = chunk(FINISH + usage_event() + DONE) + b"0\r\n\r\n"


class Ticker:
    """Streams by the tick at which their next event is due."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: defaultdict[int, list[Client]] = defaultdict(list)
        self._tick = int(loop.time() / TICK_S)
        loop.call_later(TICK_S, self._turn)

    def add(self, client: "Client", seconds: float) -> None:
        """It is due `seconds` from the present tick."""
        self._due[self._tick + max(1, round(seconds / TICK_S))].append(client)

    def _turn(self) -> None:
        """Everything that has become due; late ticks are made up for."""
        now = int(self._loop.time() / TICK_S)
        while self._tick < now:
            self._tick += 1
            for client in self._due.pop(self._tick, ()):
                client.step()
        self._loop.call_later(TICK_S, self._turn)


class Client(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, ticker: Ticker, answer: bytes) -> None:
        self._ticker = ticker
        self._answer = answer
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._left = 0
        self._gap = 0.0
        self._last = LAST

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are, without inheriting from it

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        wanted: dict[str, Any] = json.loads(body) if body else {}
        if "bench" not in wanted:
            self._transport.write(self._answer)
            return
        self._left, self._gap = wanted["bench"]["events"] - 1, 1.0 / wanted["bench"]["per_s"]
        self._last = LAST_WITH_USAGE if (wanted.get("stream_options") or {}).get("include_usage") else LAST
        self._transport.write(FIRST)
        self._ticker.add(self, self._gap)

    def step(self) -> None:
        """The next event is due."""
        if self._transport.is_closing():
            return
        self._left -= 1
        self._transport.write(NEXT if self._left else self._last)
        if self._left:
            self._ticker.add(self, self._gap)


async def serve(port: int, answer: bytes) -> None:
    """Until somebody ends the process."""
    loop = asyncio.get_running_loop()
    ticker = Ticker(loop)
    whole = WHOLE_HEAD % (len(answer), answer)
    await loop.create_server(lambda: Client(ticker, whole), "127.0.0.1", port, backlog=BACKLOG)
    await asyncio.Event().wait()


def main() -> None:
    """Serve one port."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--answer", default="{}", help="the whole answer, as JSON")
    given = options.parse_args()
    uvloop.run(serve(given.port, given.answer.encode()))


if __name__ == "__main__":
    main()
