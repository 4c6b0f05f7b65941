"""Answers that are looked up in the recordings: one at a time, in a process of its own, the latest remembered."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import OrderedDict
from pathlib import Path

import orjson

from gateway.pipeline.core import Core
from gateway.pipeline.recent import Recent
from gateway.pipeline.replay import restored
from gateway.recording.ids import id_time

REMEMBERED = 1024  # requests that were looked up
LOOK_UP_TIMEOUT_S = 120.0
_CLOCKS_S = 300.0  # by how much the clock that made an id may be ahead


class Searches:
    """One worker's, in recordings that are kept for `retain_s` seconds (None: for good)."""

    def __init__(self, core: Core, spools: Path, retain_s: float | None) -> None:
        self.retain_s = retain_s
        self._core = core
        self._spools = spools
        self._found: OrderedDict[str, Recent] = OrderedDict()
        self._one = asyncio.Semaphore(1)

    def may_find(self, request_id: str | None) -> bool:
        """Whether a search is worth its time: it is an id of ours, and its recordings are still kept."""
        try:
            age = self._core.now() - id_time(request_id or "")
        except ValueError:
            return False
        return age >= -_CLOCKS_S and (self.retain_s is None or age <= self.retain_s)

    async def find(self, request_id: str) -> Recent | None:
        """The request, or None where no policy covered it or nothing is recorded.

        Raises:
            RuntimeError: the search failed.
            TimeoutError: it took longer than `LOOK_UP_TIMEOUT_S`.
        """
        async with self._one:
            return self._found.get(request_id) or await self._look_up(request_id)

    async def _look_up(self, request_id: str) -> Recent | None:
        record = orjson.loads(await self._searched(request_id))
        if record is None or record["assignment"] is None:
            return None
        entry = restored(record, self._core.epoch.policies.get(record["assignment"]["policy"]))
        self._found[request_id] = entry
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return entry

    async def _searched(self, request_id: str) -> bytes:
        command = (sys.executable, "-m", "gateway.workers.look_up", str(self._spools), request_id)
        process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
        try:
            found, _ = await asyncio.wait_for(process.communicate(), LOOK_UP_TIMEOUT_S)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise RuntimeError(f"the search ended with exit code {process.returncode}")
        return found
