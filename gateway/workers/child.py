"""One worker as a process: told by its parent where to stand, it serves until it is told to end.

What the parent asks (see `channel`): `start` with the worker's place and the configuration's text, answered once it
serves; `prepare` and `commit` for a change of the configuration; `numbers` and `status` for the admin listener;
`remembers` and `feedback` for words about its answers that reached another worker; `alive`, to know that its loop
turns. It asks the parent when it is `ready`, and for `feedback` about answers that it does not know.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from config.loader import loads
from config.settings import Settings
from gateway.admin.families import to_json
from gateway.admin.numbers import collect
from gateway.admin.status import status
from gateway.pipeline.worker import Worker
from gateway.workers.channel import Channel
from gateway.workers.pins import Table
from gateway.workers.portion import portion
from gateway.workers.runtime import allow_many_files, quieten_collector, set_up_log
from gateway.workers.serving import Place, serving
from policies.errors import OperatorError

log = logging.getLogger("evogate.workers")

BAD_USAGE = 2


def main() -> int:
    """Run the worker at the other end of the channel `--channel FD`; the exit code."""
    set_up_log()
    allow_many_files()
    end = socket.socket(fileno=int(sys.argv[sys.argv.index("--channel") + 1]))
    return uvloop.run(Child().run(end))


class Child:
    """The worker's side of the channel."""

    def __init__(self) -> None:
        self._over = asyncio.Event()
        self._stack = contextlib.AsyncExitStack()
        self._worker: Worker
        self._channel: Channel
        self._prepared: tuple[str, Settings] | None = None
        self._name = "settings"
        self._count = 1
        self._failed = False
        self._answers: dict[str, Callable[..., Awaitable[Any]]] = {
            "start": self._start,
            "prepare": self._prepare,
            "commit": self._commit,
            "numbers": self._numbers,
            "status": self._status,
            "alive": self._alive,
            "remembers": self._remembers,
            "feedback": self._feedback,
        }

    async def run(self, end: socket.socket) -> int:
        """Serve; returns after the drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        self._channel = await Channel.open(end, self._answer)
        gone = loop.create_task(self._channel.closed.wait())
        told = loop.create_task(self._over.wait())
        async with self._stack:
            await asyncio.wait((gone, told), return_when=asyncio.FIRST_COMPLETED)
            self._say_how(orphaned=gone.done())
        for task in (gone, told):
            task.cancel()
        await self._channel.close()
        return BAD_USAGE if self._failed else 0

    def _say_how(self, *, orphaned: bool) -> None:
        worker = getattr(self, "_worker", None)
        if worker is None:
            return
        if orphaned:
            worker.grace_s = 0.0
            log.error("%s: its parent is gone, it ends at once", worker.core.writer)
        else:
            log.info("%s draining: running answers have %.0f s", worker.core.writer, worker.grace_s)

    async def _answer(self, verb: str, arguments: dict[str, Any]) -> Any:
        return await self._answers[verb](**arguments)

    async def _start(
        self,
        *,
        writers: list[str],
        index: int,
        host: str,
        port: int,
        home: str,
        text: str,
        name: str,
        table: int,
        buckets: int,
    ) -> dict[str, Any]:
        self._name, self._count = name, len(writers)
        place = Place(
            *(host, port, writers[index], Table(table, buckets), self._may_listen),
            heir_beside=writers if index == 0 else None,
            workers=len(writers),
        )
        try:
            settings = self._portion(text)
            set_up_log(settings.logging)
            await self._stack.enter_async_context(serving(settings, Path(home), place))
        except OperatorError:
            self._failed = True
            self._over.set()
            raise
        quieten_collector()
        return {"pid": os.getpid()}

    async def _may_listen(self, worker: Worker) -> None:
        """The parent may have news first: a configuration that came into force during the start."""
        self._worker = worker
        worker.desk.others = self._ask_others
        await self._channel.ask("ready", timeout_s=None)

    async def _prepare(self, *, text: str) -> None:
        settings = self._portion(text)
        await self._worker.check(settings)
        self._prepared = text, settings

    def _portion(self, text: str) -> Settings:
        return portion(loads(text, os.environ, self._name), self._count)

    async def _commit(self, *, text: str) -> None:
        if self._prepared is None or self._prepared[0] != text:
            raise ValueError("told to take over what it was not asked to prepare")
        (_, settings), self._prepared = self._prepared, None
        await self._worker.take_over(settings)

    async def _numbers(self) -> Any:
        return to_json(await collect(self._worker))

    async def _status(self) -> Any:
        return status(self._worker)

    async def _alive(self) -> bool:
        return True

    async def _ask_others(self, raw: str) -> dict[str, Any] | None:
        heard: dict[str, Any] | None = await self._channel.ask("feedback", raw=raw)
        return heard

    async def _remembers(self, *, raw: str) -> float | None:
        return self._worker.desk.remembers(raw)

    async def _feedback(self, *, raw: str) -> dict[str, Any]:
        return asdict(await self._worker.desk.take(raw))
