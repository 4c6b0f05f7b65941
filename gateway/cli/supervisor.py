"""Child processes of `evogate up`: started in order, restarted when they crash, stopped together."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from policies.errors import OperatorError

READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 40.0
BAD_USAGE = 2
LONGEST_PAUSE_S = 30.0


@dataclass(slots=True)
class Child:
    """One process. It says `ready …` on a line of its own on standard output when it serves."""

    name: str
    arguments: Sequence[str]  # after `python -m`
    environ: Mapping[str, str]
    process: asyncio.subprocess.Process | None = None
    announced: str = ""  # the rest of its ready line
    restarts: int = 0
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Supervisor:
    """Owns the children. `say` gets what they print; what they log goes to `log`, or to our own standard error."""

    def __init__(self, say: Callable[[str], None], log: Path | None = None) -> None:
        self._say = say
        self._log = log
        self._children: list[Child] = []
        self._stopping = False

    async def start(self, name: str, arguments: Sequence[str], environ: Mapping[str, str]) -> str:
        """Start a child and wait until it is ready; what it announced with that.

        Raises:
            OperatorError: it ended instead, or was not ready within a minute.
        """
        child = Child(name, arguments, dict(environ))
        self._children.append(child)
        await self._spawn(child)
        child.tasks.append(asyncio.create_task(self._keep(child)))
        return child.announced

    async def _spawn(self, child: Child) -> None:
        with self._log.open("ab") if self._log else contextlib.nullcontext() as log:
            child.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *child.arguments),
                env=dict(child.environ),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                process_group=0,  # Ctrl-C is for us: we end the children in order
            )
        try:
            child.announced = await asyncio.wait_for(self._until_ready(child), READY_TIMEOUT_S)
        except TimeoutError:
            raise OperatorError(f"the {child.name} was not ready within {READY_TIMEOUT_S:.0f} s") from None
        child.tasks.append(asyncio.create_task(self._relay(child)))

    async def _until_ready(self, child: Child) -> str:
        assert child.process is not None
        assert child.process.stdout is not None
        async for raw in child.process.stdout:
            line = raw.decode(errors="replace").rstrip()
            self._say(line)
            if line.startswith("ready "):
                return line.removeprefix("ready ")
        code = await child.process.wait()
        where = f"at the end of {self._log}" if self._log else "above"
        raise OperatorError(f"the {child.name} did not start (exit code {code}); its message stands {where}")

    async def _relay(self, child: Child) -> None:
        assert child.process is not None
        assert child.process.stdout is not None
        async for raw in child.process.stdout:
            self._say(raw.decode(errors="replace").rstrip())

    async def _keep(self, child: Child) -> None:
        """Restart the child whenever it ends by itself, with a growing pause."""
        while True:
            assert child.process is not None
            code = await child.process.wait()
            if self._stopping or code == BAD_USAGE:
                return
            child.restarts += 1
            pause = min(0.5 * 2.0 ** (child.restarts - 1), LONGEST_PAUSE_S)
            self._say(f"the {child.name} ended with exit code {code}; starting it again in {pause:.1f} s")
            await asyncio.sleep(pause)
            try:
                await self._spawn(child)
            except OperatorError as error:
                self._say(str(error))

    async def stop(self) -> None:
        """End all children, the last started first, and wait for them."""
        self._stopping = True
        for child in reversed(self._children):
            await self._stop(child)
        for task in [task for child in self._children for task in child.tasks]:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _stop(self, child: Child) -> None:
        process = child.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
        except TimeoutError:
            self._say(f"the {child.name} did not end within {STOP_TIMEOUT_S:.0f} s and is killed")
            process.kill()
            await process.wait()
