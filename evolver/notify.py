"""Where news goes: to the webhook, and to a command of the operator's.

The command is run without a shell, with the news as one JSON object on its standard input, and ended after
`evolver.notify_timeout_s`. Of the environment it gets what finding and running a program takes, and no secret.
"""

import asyncio
import logging
import os
from contextlib import suppress
from typing import Any, Protocol, Self

import orjson

from config.evolving import Evolver
from evolver.webhook import PENDING, Webhook

log = logging.getLogger(__name__)

ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SYSTEMROOT")
SHOWN = 200  # bytes of what a failing command said


class Notifier(Protocol):
    """Takes news and never stands in the way of who has it."""

    def send(self, event: str, policy: str, at: float, detail: dict[str, Any]) -> None:
        """Pass it on, in the background."""


class Command:
    """Runs the operator's program, once for each piece of news."""

    def __init__(self, settings: Evolver) -> None:
        self._settings = settings
        self._tasks: set[asyncio.Task[None]] = set()
        self.failures = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=2.0)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def configure(self, settings: Evolver) -> None:
        """Take new settings over from the next event on."""
        self._settings = settings

    def send(self, event: str, policy: str, at: float, detail: dict[str, Any]) -> None:
        """Start the program, where one is configured."""
        if not self._settings.notify_command:
            return
        if len(self._tasks) >= PENDING:
            self._failed(event, "too many are running already")
            return
        news = orjson.dumps({"event": event, "policy": policy, "at": at, **detail})
        task = asyncio.create_task(self._run(self._settings.notify_command, event, news))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, command: tuple[str, ...], event: str, news: bytes) -> None:
        pipe, environment = asyncio.subprocess.PIPE, {n: os.environ[n] for n in ENVIRONMENT if n in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=asyncio.subprocess.DEVNULL, stderr=pipe, env=environment
            )
        except (OSError, ValueError) as error:
            self._failed(event, str(error))
            return
        try:
            async with asyncio.timeout(self._settings.notify_timeout_s):
                _, said = await process.communicate(news)
        except TimeoutError:
            self._failed(event, f"it was not done after {self._settings.notify_timeout_s:g} s")
        else:
            if process.returncode != 0:
                self._failed(event, f"it ended with {process.returncode}: {said[:SHOWN]!r}")
        finally:
            await _end(process)

    def _failed(self, event: str, problem: str) -> None:
        self.failures += 1
        log.warning("notify_command: the news '%s' did not arrive: %s", event, problem)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


class Notices:
    """Both of them."""

    def __init__(self, webhook: Webhook, command: Command) -> None:
        self._to: tuple[Notifier, ...] = (webhook, command)

    def send(self, event: str, policy: str, at: float, detail: dict[str, Any]) -> None:
        """Pass it on to each."""
        for notifier in self._to:
            notifier.send(event, policy, at, detail)
