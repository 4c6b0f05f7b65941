"""The daemon: three loops over one registry.

One reads recordings and watches for harm, one moves candidates, one learns. They are apart so that a long cycle or a
slow judge never delays a promotion, and nothing delays a rollback. Everything that must outlive the process is in the
registry or the analysis database; what stations keep in memory is rebuilt from there.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random, SystemRandom
from typing import Self

from config.settings import Settings
from evolver import cycle
from evolver.context import Context, frozen
from evolver.conveyor import step_all
from evolver.keeper import Keeper
from evolver.meaning import Embeddings
from evolver.memory.shelf import Shelf
from evolver.metrics import Metrics, Scrape, lag_s
from evolver.news import News
from evolver.notify import Command, Notices
from evolver.odds import Odds
from evolver.provider import Provider
from evolver.publish import PromptFiles
from evolver.retirement import Retirement
from evolver.spending import Spending
from evolver.stations import Line, line
from evolver.store import Store
from evolver.vigil import Vigil
from evolver.watch import Watch
from evolver.webhook import Webhook
from gateway.recording import writers
from policies.errors import EvoGateError
from policies.registry import Registry, open_registry

log = logging.getLogger(__name__)


SPENDING = "spending"  # the folder of what calls have cost


class Daemon:
    """Everything the evolver does, but its listener.

    Args:
        settings: the whole configuration.
        home: the folder of registry, recordings and analysis.
        stations: another line than the usual one.
        clock: Unix seconds.
    """

    def __init__(
        self,
        settings: Settings,
        home: Path,
        *,
        stations: Line | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.home = home
        self.clock = clock
        self.metrics = Metrics()
        self.stations = stations or line()
        self.watch = Watch()
        self.keeper = Keeper(cycle.run, cycle.analyse, clock, self.metrics)
        self.registry: Registry = open_registry(home, settings.registry.database)
        self.store = Store(home / "analysis.db", home / "spool")
        self.provider = Provider(settings, spending=Spending(home / SPENDING, settings.evolver.budget, clock))
        self.webhook = Webhook(settings.evolver)
        self.command = Command(settings.evolver)
        self._odds = Odds()
        self._vigil = Vigil()
        self._news = News()
        self._retirement = Retirement()
        self._files = PromptFiles({})
        self._open = AsyncExitStack()
        self._shelf = Shelf()
        self._embeddings = Embeddings(self.provider)
        self._rng = Random(SystemRandom().getrandbits(64))  # noqa: S311 (samples, not secrets)

    async def __aenter__(self) -> Self:
        """Open registry, database and clients.

        Raises:
            OperatorError: one of the files can't be opened.
        """
        try:
            for part in (self.registry, self.store, self.provider, self.webhook, self.command):
                await self._open.enter_async_context(part)
            await self.keeper.load(self.context())
            await self._news.load(self.context())
        except BaseException:
            await self._open.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        try:
            await self.keeper.release(self.context())
        except EvoGateError as error:
            log.warning("the lease could not be given back: %s", error)
        finally:
            await self._open.aclose()

    def context(self) -> Context:
        """The world as it is now."""
        return Context(
            settings=self.settings,
            registry=self.registry,
            store=self.store,
            provider=self.provider,
            webhook=Notices(self.webhook, self.command),
            home=self.home,
            now=self.clock(),
            rng=self._rng,
            suspects=frozenset(name for name, verdict in self.watch.verdicts.items() if verdict != "CLEAR"),
            shelf=self._shelf,
            embeddings=self._embeddings,
        )

    def configure(self, settings: Settings) -> None:
        """Take changed settings over, between two rounds."""
        self.settings = settings
        self.provider.configure(settings)
        self.webhook.configure(settings.evolver)
        self.command.configure(settings.evolver)
        log.info("settings reloaded")

    async def run(self) -> None:
        """All loops, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._every(self.look))
            group.create_task(self._every(self.move))
            group.create_task(self._every(self.learn))

    async def once(self) -> dict[str, cycle.Result]:
        """Read all recordings, run one cycle for each policy, and let its candidates take their first steps.

        Raises:
            NotFoundError: a policy has no production version yet.
            ConflictError: another evolver of this registry is at work.
        """
        while await self.store.ingest():
            pass
        results = {name: await self.keeper.once(name, self.context()) for name in self.settings.policies}
        while await step_all(self.stations, self.context()):
            pass
        return results

    async def exposition(self) -> bytes:
        """All metrics as of now."""
        progress = await self.store.progress()
        spool = self.home / "spool"
        lag = await asyncio.to_thread(lambda: lag_s(spool, progress, writers(spool), self.clock()))
        scrape = Scrape(await self.registry.candidates(), await self.registry.findings(), lag)
        return self.metrics.text(scrape, self.provider, self.webhook, self.command)

    async def look(self) -> None:
        """One round of reading and watching; it goes on while the settings say freeze."""
        while (frames := await self.store.ingest()) > 0:
            self.metrics.frames.inc(frames)
        context = self.context()
        await self.watch.look(context)
        await self._odds.look(context)
        await self._vigil.look(context)
        await self._news.look(context)
        await self._retirement.look(context)

    async def move(self) -> None:
        """One round of candidates along the line. Nothing of it while frozen."""
        self.metrics.moves.inc(await step_all(self.stations, self.context()))

    async def learn(self) -> None:
        """One look at the prompt files and the triggers, with a cycle where one is due. Nothing of it while frozen."""
        if await frozen(self.registry):
            return
        await self._files.look(self.context())
        await self.keeper.look(self.context())

    async def _every(self, round_of: Callable[[], Awaitable[None]]) -> None:
        """Rounds `poll_s` apart. One that fails is logged and counted, and the next one tries again."""
        while True:
            try:
                await round_of()
            except EvoGateError as error:
                self.metrics.failed_rounds.inc()
                log.warning("%s", error)
            except Exception:
                self.metrics.failed_rounds.inc()
                log.exception("a round of the evolver failed")
            await asyncio.sleep(self.settings.evolver.poll_s)
