"""The month's processes: started, killed without warning, and started again at the same address."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from policies.errors import OperatorError

READY_S = 60.0
STOP_S = 20.0


class Process:
    """One of them, in a process group of its own. It says `ready …` on standard output when it serves.

    Args:
        name: of its log file.
        arguments: after `python -m`.
        environ: what it adds to our own environment.
        folder: of the logs.
    """

    def __init__(self, name: str, arguments: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self._arguments = arguments
        self._environ = {**os.environ, **environ}
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> str:
        """What it announced with its readiness.

        Raises:
            OperatorError: it ended instead, or took too long.
        """
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", *self._arguments),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environ,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(READY_S):
                while line := (await self._process.stdout.readline()).decode():
                    if line.startswith("ready "):
                        return line.split()[-1]
        except TimeoutError:
            pass
        raise OperatorError(f"{self.name} did not start; {self._log} says why")

    async def kill(self) -> None:
        """At once, with all that it started."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> str:
        """In order; what it said last on standard output."""
        return await self._end(signal.SIGTERM)

    async def _end(self, number: signal.Signals) -> str:
        process = self._process
        if process is None or process.stdout is None:
            return ""
        _tell(process.pid, number)
        try:
            async with asyncio.timeout(STOP_S):
                said = (await process.stdout.read()).decode()
                await process.wait()
        except TimeoutError:
            said = ""
            _tell(process.pid, signal.SIGKILL)
            await process.wait()
        self._process = None
        return said.strip().rpartition("\n")[2]


def _tell(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, number)
