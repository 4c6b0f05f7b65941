"""One worker as its parent sees it: started, watched, started again, ended."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.workers.channel import Channel, ChannelError
from policies.errors import OperatorError

log = logging.getLogger("evogate.workers")

STARTS = 5  # in a row that fail before the gateway gives up
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
STEADY_S = 60.0  # a worker that has served for so long starts again at once
START_TIMEOUT_S = 600.0  # it replays its spool first
KILL_AFTER_S = 10.0  # beyond the grace period
QUESTIONS = 2  # in a row without an answer: one might be the parent's own doing, that was stopped meanwhile


class Member:
    """A worker of a name. `begin` tells a started process what it needs, sets `up`, and returns when it serves.

    `on_failure` hears why it can't be started any more. One whose loop is silent for `hang_s()` seconds is killed.
    """

    def __init__(
        self,
        name: str,
        begin: Callable[["Member"], Awaitable[None]],
        answer: Callable[["Member", str, dict[str, Any]], Awaitable[Any]],
        on_failure: Callable[[OperatorError], None],
        *,
        hang_s: Callable[[], float],
        descriptors: tuple[int, ...] = (),
    ) -> None:
        self.name = name
        self.restarts = 0
        self.up = False
        self.ended: str = ""  # how its last process ended
        self.pid = 0
        self.text = ""  # of the configuration that it has
        self._begin = begin
        self._answer = answer
        self._on_failure = on_failure
        self._hang_s = hang_s
        self._descriptors = descriptors
        self._process: asyncio.subprocess.Process | None = None
        self._channel: Channel | None = None
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start it; returns when it serves.

        Raises:
            OperatorError: it refused, or ended again and again instead.
        """
        await self._try_to_start()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._keep()), loop.create_task(self._watch())]

    async def ask(self, verb: str, **arguments: Any) -> Any:
        """See `Channel.ask`."""
        if self._channel is None or not self.up:
            raise ChannelError(f"{self.name} is not up")
        return await self._channel.ask(verb, **arguments)

    def told_to_start(self, **arguments: Any) -> Awaitable[Any]:
        """What `begin` sends; the answer comes when the worker serves."""
        assert self._channel is not None
        return self._channel.ask("start", timeout_s=START_TIMEOUT_S, **arguments)

    async def stop(self, grace_s: float) -> None:
        """Drain it; it is killed where that takes too long."""
        self._stopping = True
        await self._end(grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def kill(self) -> None:
        """End it at once; a successor is started."""
        self._signal(signal.SIGKILL)

    async def _keep(self) -> None:
        """Whenever it ends by itself, start it again, with a growing pause where it had not served for long."""
        loop, pause = asyncio.get_running_loop(), FIRST_PAUSE_S
        while True:
            began = loop.time()
            assert self._process is not None
            code = await self._process.wait()
            await self._note_end(code)
            if self._stopping:
                return
            pause = FIRST_PAUSE_S if loop.time() - began >= STEADY_S else min(pause * 2.0, LONGEST_PAUSE_S)
            self.restarts += 1
            log.error("%s %s; it is started again in %.1f s", self.name, self.ended, pause)
            await asyncio.sleep(pause)
            try:
                await self._try_to_start()
            except OperatorError as error:
                self._on_failure(error)
                return

    async def _watch(self) -> None:
        """A process that lives and does nothing is worse than none: the kernel goes on giving it clients."""
        while True:
            pid, patience_s = self.pid, self._hang_s()
            await asyncio.sleep(patience_s / 10.0)
            if self.up and not await self._answers(patience_s) and self.up and self.pid == pid:
                log.error("%s has not answered for %g s and is killed", self.name, patience_s)
                self.kill()

    async def _answers(self, patience_s: float) -> bool:
        for _ in range(QUESTIONS):
            with contextlib.suppress(ChannelError):
                await self.ask("alive", timeout_s=patience_s / QUESTIONS)
                return True
        return False

    async def _try_to_start(self) -> None:
        pause, said = FIRST_PAUSE_S, ""
        for attempt in range(STARTS):
            if attempt:
                log.error("%s did not start (%s); trying again in %.1f s", self.name, said, pause)
                await asyncio.sleep(pause)
                pause *= 2.0
            await self._spawn()
            try:
                await self._begin(self)
            except (OperatorError, ChannelError) as error:
                await self._end(0.0)
                said = str(error) if isinstance(error, OperatorError) else self.ended
                if isinstance(error, OperatorError) and not self.restarts:
                    raise  # nothing has changed since: the same again, for whoever is starting the gateway
            else:
                return
        raise OperatorError(f"worker {self.name} did not start {STARTS} times in a row; the last time it {said}")

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "gateway.workers", "--channel", str(theirs.fileno())),
                pass_fds=(theirs.fileno(), *self._descriptors),
                process_group=0,  # Ctrl-C is for the parent, which drains us in order
            )
        self.pid = self._process.pid
        self._channel = await Channel.open(ours, lambda verb, arguments: self._answer(self, verb, arguments))

    async def _end(self, grace_s: float) -> None:
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(self._process.wait(), grace_s + KILL_AFTER_S)
        except TimeoutError:
            log.warning("%s did not end within its grace period and is killed", self.name)
            self.kill()
            code = await self._process.wait()
        await self._note_end(code)

    def _signal(self, number: signal.Signals) -> None:
        """Not by the process's own method, which reaps one that has just ended before its watcher can: no exit code."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    async def _note_end(self, code: int) -> None:
        self.up = False
        self.ended = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()
