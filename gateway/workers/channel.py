"""Questions and answers between the parent and one worker: a line of JSON each, over a pair of Unix sockets."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from policies.errors import OperatorError

log = logging.getLogger("evogate.workers")

LINE_BYTES = 64 << 20  # a configuration, a body of feedback, the numbers of a worker: far below
ANSWER_TIMEOUT_S = 5.0

Handler = Callable[[str, dict[str, Any]], Awaitable[Any]]


class ChannelError(Exception):
    """The other side is gone, did not answer in time, or failed at the question."""


class Channel:
    """One end. `handler(verb, arguments)` answers the other side's questions with a JSON value.

    An `OperatorError` that it raises is raised again on the side that asked, anything else as `ChannelError`.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
        self.closed = asyncio.Event()
        self._writer = writer
        self._handler = handler
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))

    @classmethod
    async def open(cls, end: socket.socket, handler: Handler) -> "Channel":
        """Take over one end of a connected pair."""
        reader, writer = await asyncio.open_connection(sock=end, limit=LINE_BYTES)
        return cls(reader, writer, handler)

    async def ask(self, verb: str, *, timeout_s: float | None = ANSWER_TIMEOUT_S, **arguments: Any) -> Any:
        """The other side's answer; `timeout_s` None waits for as long as it lives.

        Raises:
            OperatorError: its refusal. ChannelError: there is no answer.
        """
        if self.closed.is_set():
            raise ChannelError(f"nobody there to be asked for {verb}")
        self._asked += 1
        number, answer = self._asked, asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send({"ask": verb, "id": number, "with": arguments})
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            raise ChannelError(f"no answer to {verb} within {timeout_s:g} s") from None
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Hang up; questions under way are lost."""
        for task in [self._reading, *self._tasks]:
            task.cancel()
        await asyncio.gather(self._reading, *self._tasks, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            async for line in reader:
                self._heard(orjson.loads(line))
        except (OSError, ValueError) as error:
            log.warning("the channel broke: %s", error)
        finally:
            self._lost()

    def _lost(self) -> None:
        self.closed.set()
        self._writer.close()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ChannelError("the other side is gone"))

    def _heard(self, said: dict[str, Any]) -> None:
        if "ask" in said:
            task = asyncio.get_running_loop().create_task(self._answer(said))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        answer = self._waiting.get(said["re"])
        if answer is None or answer.done():
            return  # too late
        if "refused" in said:
            answer.set_exception(OperatorError(said["refused"]))
        elif "failed" in said:
            answer.set_exception(ChannelError(said["failed"]))
        else:
            answer.set_result(said["is"])

    async def _answer(self, said: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"re": said["id"]}
        try:
            answer["is"] = await self._handler(said["ask"], said["with"])
        except OperatorError as error:
            answer["refused"] = str(error)
        except Exception as error:
            log.exception("failed at %s", said["ask"])
            answer["failed"] = f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            self._send(answer)

    def _send(self, message: dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(orjson.dumps(message, option=orjson.OPT_NON_STR_KEYS) + b"\n")
