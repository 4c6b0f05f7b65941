"""What a worker tells the others, and hears from them, about once a second: totals in the registry."""

from collections.abc import Collection
from pathlib import Path

from gateway.pipeline.core import Core
from gateway.pipeline.estate import Estate
from gateway.pipeline.routers import Routers
from gateway.recording import writers
from policies.registry.fence import Fence
from policies.registry.port import Registry


class Peers:
    """One worker's exchange of evidence, posteriors and what routers have learnt.

    `estates`: what writers that no longer run have left behind; told in their names until it is settled.
    """

    def __init__(self, core: Core, registry: Registry, routers: Routers, fence: Fence) -> None:
        self.estates: list[Estate] = []
        self._core = core
        self._registry = registry
        self._routers = routers
        self._fence = fence

    async def begin(self) -> float:
        """Take over every writer's posteriors, this one's included; when those were written, Unix seconds."""
        await self._routers.begin(self._registry, self._core.writer)
        return self._core.posteriors.take(await self._registry.totals("posterior"), own=True)

    async def join(self) -> None:
        """After a start without the registry: what routers had learnt; posteriors are heard with the others' rows."""
        await self._routers.begin(self._registry, self._core.writer)

    async def inherit(self, root: Path, running: Collection[str], *, idle_s: float) -> None:
        """Take over what the writers under `root` have left behind that are not among the `running`."""
        left = [writer for writer in writers(root) if writer not in running]
        rows = await self._registry.totals("posterior") if left else []
        for writer in left:
            estate = Estate(self._core, writer)
            await estate.read(root / writer, rows, idle_s=idle_s)
            self.estates.append(estate)

    async def tell(self, *, last: bool = False) -> None:
        """Write what this worker has seen.

        Raises:
            ConflictError: another gateway writes under this one's name by now.
        """
        lease = await self._fence.keep()
        core, now = self._core, self._core.now()
        rows = [*core.evidence.rows(now), *core.posteriors.rows(now)]
        rows += [row for estate in self.estates for row in estate.rows(now)]
        if rows:
            await self._registry.put_totals(rows, under=lease)
        core.evidence.exchanged()
        await self._routers.tell(self._registry, now, last=last, under=lease)
        self.estates = [estate for estate in self.estates if not estate.settled]

    async def hear(self) -> None:
        """Read what all have seen."""
        core = self._core
        await self._routers.hear(self._registry, core.now())
        rows = await self._registry.totals("posterior")
        core.posteriors.take(rows)
        if any(row.writer != core.writer for row in rows):
            for experiment in list(core.evidence.running):
                core.evidence.take_peers(experiment, await self._registry.totals("evidence", experiment), core.now())
