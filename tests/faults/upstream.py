"""A provider on a raw socket that plays what a test scripts, request by request.

1. An answer is a sequence of steps: bytes are sent as they are, an `Act` is done. After the last step the connection
   stays open for the next request, unless the act closed it.
2. The n-th request gets the n-th answer; the last answer is repeated.
3. `Act.PAUSE` waits for `Upstream.resume`; nothing here looks at a clock.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Self

import orjson


class Act(Enum):
    """What a provider can do besides sending."""

    CLOSE = auto()  # an orderly end of the connection, wherever the answer stands
    RESET = auto()  # a TCP reset
    SILENCE = auto()  # nothing more, until the other side hangs up
    PAUSE = auto()  # until the test says so


Step = bytes | Act
Answer = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request that has come."""

    method: bytes
    target: bytes
    headers: dict[bytes, bytes]  # lower-case name -> last value
    body: bytes
    at: float  # on the loop's clock

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return orjson.loads(self.body)


class Upstream:
    """The provider. `visits` holds every request; `answers` may be replaced while it runs."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.visits: list[Visit] = []
        self.url = ""
        self.paused = asyncio.Event()  # an answer waits
        self._resumed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def play(self, *answers: Answer) -> None:
        """From now on: the first of these, then the next."""
        self.answers = [()] * len(self.visits) + list(answers)

    def answer_to(self, visit: Visit) -> Answer:
        """What this request gets."""
        return self.answers[min(len(self.visits), len(self.answers)) - 1]

    def resume(self) -> None:
        """Let every paused answer go on, now and later."""
        self._resumed.set()

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Self]:
        """Serve while the context lasts; `url` ends in `/v1`."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._serve(reader, writer):
                    pass
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether another may follow."""
        visit = await _read(reader)
        self.visits.append(visit)
        for step in self.answer_to(visit):
            if isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            elif not await self._act(step, reader, writer):
                return False
        return True

    async def _act(self, act: Act, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        match act:
            case Act.PAUSE:
                self.paused.set()
                await self._resumed.wait()
                return True
            case Act.SILENCE:
                await reader.read()
            case Act.RESET:
                found: socket.socket = writer.get_extra_info("socket")
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Act.CLOSE:
                pass
        return False


async def _read(reader: asyncio.StreamReader) -> Visit:
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ", 2)
    headers = {n.lower(): v.strip() for n, _, v in (f.partition(b":") for f in fields)}
    body = await reader.readexactly(int(headers.get(b"content-length", b"0")))
    return Visit(method, target, headers, body, asyncio.get_running_loop().time())
