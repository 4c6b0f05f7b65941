"""One worker's recordings on the disk: writer, commit by the level asked for, upkeep, and the hash chain's anchors."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path

from config.records import Recording
from gateway.recording import DurableCommit, GroupCommit, Keep, SpoolError, SpoolWriter, Upkeep
from gateway.recording.chain import Head
from policies.registry.port import Registry
from policies.registry.values import Lease

log = logging.getLogger("evogate.spool")

# Close together, because what was recorded since the last one could be replaced unnoticed. But each is a write that
# makes every worker read the registry again at its next poll; at 10 s these are few beside the polls themselves.
ANCHOR_EVERY_S = 10.0
_BOOTS = 16


class Spool:
    """Opens the folder at once; for the thread of the loop.

    Raises:
        SpoolError: the folder can't be written, or another process records there.
    """

    def __init__(
        self,
        directory: Path,
        settings: Recording,
        loop: asyncio.AbstractEventLoop,
        on_error: Callable[[SpoolError], None],
    ) -> None:
        self.directory = directory
        self.level = settings.level
        power_safe = self.level == "power_safe"
        self.writer = SpoolWriter(directory, segment_bytes=settings.segment_bytes, durable=power_safe)
        self.commit = (DurableCommit if power_safe else GroupCommit)(self.writer, loop, on_error)
        self.upkeep = Upkeep(directory, _keep(settings))
        self._segment_bytes = settings.segment_bytes
        self._loop = loop
        self._tending: asyncio.Task[None] | None = None
        self._heads: list[Head] | None = None  # as the registry has them
        self._anchor_at = float("-inf")  # on the loop's clock

    def tend(self) -> None:
        """Begin upkeep, in the background."""
        self._tending = self._loop.create_task(self.upkeep.run())

    def configure(self, settings: Recording) -> None:
        """Take over changed settings, all but the level and the size of segments."""
        self.upkeep.keep = _keep(settings)
        if (settings.level, settings.segment_bytes) != (self.level, self._segment_bytes):
            log.warning("recording.level and recording.segment_bytes will count from the next start on")

    async def close(self) -> None:
        """Upkeep ends, and what waits is written (synced, at `power_safe`)."""
        if self._tending is not None:
            self._tending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._tending
        self.commit.close()
        try:
            self.writer.close()
        except SpoolError as error:
            log.warning("%s", error)

    async def anchor(self, registry: Registry, *, at_once: bool = False, under: Lease | None = None) -> None:
        """Keep the head of the hash chain in the registry, where it has moved and the last time is long enough ago.

        The heads that earlier boots ended with stay beside it, so that what is changed between two boots shows, too.
        """
        if not at_once and self._loop.time() < self._anchor_at:
            return
        self._anchor_at = self._loop.time() + ANCHOR_EVERY_S
        head, writer = self.writer.head, self.directory.name
        known = await read_anchors(registry, writer) if self._heads is None else self._heads
        if head.offset and (not known or known[-1][1:] != head[1:]):
            known = [*(past for past in known if past.boot != head.boot), head][-_BOOTS:]
            await registry.set_state(_state(writer), {"heads": [list(past) for past in known]}, under=under)
        self._heads = known


async def read_anchors(registry: Registry, writer: str) -> list[Head]:
    """The heads of a writer's chain that are anchored, the newest last; at most one of each boot."""
    return [Head(*value) for value in (await registry.state(_state(writer))).get("heads", [])]


def _state(writer: str) -> str:
    return f"anchor:{writer}"


def _keep(settings: Recording) -> Keep:
    return Keep(settings.compress, settings.retain_bytes, settings.retain_s)
