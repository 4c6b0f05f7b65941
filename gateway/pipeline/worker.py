"""One worker: memory, spool, routes and timers put together, fed by the registry about once a second."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Collection, Mapping
from functools import partial
from pathlib import Path

from config.settings import Settings
from gateway.embeddings.memories import Shelf
from gateway.pipeline.app import DataPlane
from gateway.pipeline.build import Builder
from gateway.pipeline.clock import Clock
from gateway.pipeline.core import Core
from gateway.pipeline.desk import Desk
from gateway.pipeline.epoch import Epoch
from gateway.pipeline.fallopen import FallOpen
from gateway.pipeline.guard import Guard
from gateway.pipeline.last_seen import Keeper, LastSeen
from gateway.pipeline.memories import PATIENCE_S, Memories
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.mirror import Mirror
from gateway.pipeline.peers import Peers
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.replay import Replay
from gateway.pipeline.routes import Route, Routes, refuse_self
from gateway.pipeline.scene import Verdicts
from gateway.pipeline.snapshot import Snapshot, publish_configured, read
from gateway.pipeline.spool import Spool
from gateway.pipeline.strategy.coordinator import server_for
from gateway.recording.errors import SpoolError
from gateway.recording.redact import Redactor
from gateway.workers.pins import SharedPins, Table
from gateway.workers.stored import SharedAnswers
from policies.errors import AwayError, ConflictError, OperatorError
from policies.registry.fence import Fence, holder_in
from policies.registry.port import Registry

log = logging.getLogger("evogate.worker")

JUDGE_EVERY_S = 0.1
_ALARM_AFTER_S = 0.005  # failures that come together are judged together


class Worker:
    """Owns everything that a data plane process has besides its sockets."""

    def __init__(
        self,
        settings: Settings,
        home: Path,
        key: bytes,
        registry: Registry,
        *,
        writer: str = "w0",
        clock: Clock | None = None,
        table: Table | None = None,
        heir_beside: Collection[str] | None = ("w0",),
        workers: int = 1,
    ) -> None:
        """Open the spool. Needs a running loop.

        `table` holds the pins of several workers; None: this one is alone. It takes over what writers have left behind
        that are not in `heir_beside`; None: another one does. `workers` of them share what genes limit.

        Raises:
            OperatorError: the spool can't be written, or the settings can't be compiled.
        """
        self._loop = asyncio.get_running_loop()
        self._registry = registry
        self._key = key
        self._table = table
        self._heir_beside = heir_beside
        self.settings = settings
        self.grace_s = settings.gateway.limits.drain_s  # for running answers, once it drains
        self.reload_error = ""
        recording = settings.recording
        self.spool = Spool(home / "spool" / writer, recording, self._loop, self._not_recorded)
        redactor = Redactor(recording.redact, key)
        recorder = Recorder(
            self.spool.commit, writer, bodies=recording.bodies, body_sample=recording.body_sample, redactor=redactor
        )
        metrics, fall_open = Metrics(), FallOpen()
        mirror = Mirror(recorder, metrics, fall_open, concurrency=settings.gateway.mirror_concurrency)
        self.core = Core(
            writer=writer,
            key=key,
            recorder=recorder,
            mirror=mirror,
            metrics=metrics,
            fall_open=fall_open,
            clock=clock or Clock(),
            loop=self._loop,
            idle_unit_s=settings.gateway.idle_unit_s,
        )
        if table is not None:
            self.core.lineages.shared = SharedAnswers(table)
        mirror.serve = partial(server_for, self.core)
        self.routes = Routes(self._loop)
        self.verdicts = Verdicts()
        self.snapshot = Snapshot()
        self._shelf = Shelf(self.core.embedder)
        self._builder = Builder(metrics, key, Memories(), self._loop.time, self._shelf, workers=workers)
        self._changed: int | None = None
        self._keeper = Keeper(home, writer, settings.registry.database)
        self.started_from: float | None = None  # when what it serves from was seen, until it joins the registry
        self._reading = asyncio.Lock()  # an older reading of the registry must not replace a newer one
        self.desk = Desk(self.core, home / "spool", recording.retain_s)
        self.app = DataPlane(self.core, self.desk)
        self._fence = Fence(registry, writer, holder_in(home, shared=settings.registry.url is not None), self.core.now)
        self.peers = Peers(self.core, registry, self._builder.routers, self._fence)
        self.guard = Guard(self.core, registry, self.verdicts, self.rebuild)
        self.core.on_alarm = self._alarm
        self._alarmed = False
        self._timer: asyncio.TimerHandle | None = None
        self._syncing: asyncio.Task[None] | None = None
        self.listener: tuple[str, int] | None = None

    async def start(self) -> None:
        """Read the registry, build the first epoch, replay the spool; then the worker is ready.

        Where a fleet's registry is away, what was last seen of it stands for it until it returns.

        Raises:
            OperatorError: the settings or the registry can't be used, or another gateway has this one's name there; an
                `AwayError` where it was never seen.
        """
        self.routes.update(self.settings.upstreams)
        try:
            counted_until = await self._begin()
        except AwayError as error:
            counted_until = await self._begin_without(error)
        self.rebuild()
        idle_s = self.settings.gateway.idle_unit_s
        if self.started_from is None:
            await self._inherit()
        replay = Replay(self.core, now=self.core.now(), idle_s=idle_s, counted_until=counted_until)
        await asyncio.to_thread(replay.run, self.spool.directory)
        self.spool.tend()
        self.guard.tick()
        self._timer = self._loop.call_later(JUDGE_EVERY_S, self._tick)
        self._syncing = self._loop.create_task(self._sync_forever())
        self.app.started = self.app.ready = True
        log.info("ready after %d replayed frames", replay.frames)

    async def _begin(self) -> float:
        """Take over what the registry says; until when this writer's rewards are counted there."""
        await self._fence.take()
        if self._table is None:
            await publish_configured(self._registry, self.settings, self.core.now())
        await self._read_snapshot(patience_s=None)
        return await self.peers.begin()

    async def _begin_without(self, error: AwayError) -> float:
        """The same with what was last seen of it."""
        seen = await asyncio.to_thread(self._keeper.found)
        if seen is None:
            raise error
        log.warning("%s; it serves what was last seen of it, %.0f s ago", error, self.core.now() - seen.at)
        self.started_from, self.snapshot = seen.at, seen.snapshot
        self.core.metrics.starts_without_registry += 1
        await self._builder.prepare(self._registry, self.settings, self.snapshot)
        return self.core.posteriors.take(seen.posteriors, own=True)

    async def _join(self) -> None:
        """What a start without the registry has left undone, once it is there."""
        await self._fence.take()
        if self._table is None:
            await publish_configured(self._registry, self.settings, self.core.now())
        await self.peers.join()
        await self._inherit()
        self.started_from = None
        log.info("the registry is there: this worker has joined it")

    async def _inherit(self) -> None:
        if self._heir_beside is not None:
            idle_s = self.settings.gateway.idle_unit_s
            await self.peers.inherit(self.spool.directory.parent, self._heir_beside, idle_s=idle_s)

    async def _remember(self) -> None:
        """Keep what the registry has said, for a start without it."""
        now = self.core.now()
        if self.started_from is None and self._keeper.due(self.snapshot, now):
            posteriors = tuple(await self._registry.totals("posterior"))
            await self._keeper.keep(LastSeen(now, self.snapshot, posteriors))

    async def close(self) -> None:
        """After the last answer: totals to the registry, the spool to disk, connections closed."""
        self.app.ready = False
        if self._timer is not None:
            self._timer.cancel()
        if self._syncing is not None:
            self._syncing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._syncing
        await self.desk.close()
        await self.guard.close()
        told = self._fence.held  # else it never began, or its name is another's
        if told:
            await self._tell(self.peers.tell(last=True))
        await self.spool.close()
        if told:
            await self._tell(self._anchor(at_once=True))
            await self._tell(self._fence.release())
        self.routes.close()

    def rebuild(self) -> None:
        """Make the next epoch and swap it in."""
        epoch = self._build(self.settings, self.routes.all, self.snapshot)
        if self._table is not None:
            self._share_pins(self._table, epoch)
        self.core.epoch = epoch
        self.core.evidence.follow(epoch.policies.values())
        self.core.outages.keep({f"{view.name}/{arm}" for view in epoch.policies.values() for arm in view.arms})
        arms = (arm for view in epoch.policies.values() for arm in (*view.arms.values(), *view.shadows))
        memories = (arm.memory for arm in arms if arm.memory is not None and arm.memory.meaning is not None)
        self._shelf.follow(self.settings, self.routes.all, (memory.library for memory in memories))

    def _share_pins(self, table: Table, epoch: Epoch) -> None:
        for name, view in epoch.policies.items():
            pins = self.core.pins.get(name)
            if not isinstance(pins, SharedPins):
                pins = self.core.pins[name] = SharedPins(table, name, idle_s=self.settings.gateway.idle_unit_s)
            pins.know([*view.arms, *(trial.experiment for trial in view.trials)])

    def _build(self, settings: Settings, routes: Mapping[str, Route], snapshot: Snapshot) -> Epoch:
        return self._builder.build(
            settings,
            routes,
            snapshot,
            posteriors=self.core.posteriors,
            verdicts=self.verdicts,
            previous=getattr(self.core, "epoch", None),
            now=self.core.now(),
        )

    async def reload(self, settings: Settings) -> None:
        """Take new settings over, whole or not at all.

        Raises:
            OperatorError: they can't be used; the old ones stay in force, and `reload_error` says why.
        """
        try:
            await self.check(settings)
            await publish_configured(self._registry, settings, self.core.now())
            await self.take_over(settings)
        except Exception as error:
            self.refused(str(error))
            raise OperatorError(f"the new settings were not taken over: {error}") from error

    async def check(self, settings: Settings) -> None:
        """Build all that new settings ask for, beside what is in force.

        Raises:
            OperatorError: they can't be used.
        """
        if self.listener is not None:
            refuse_self(settings.upstreams, *self.listener)
        Redactor(settings.recording.redact, self._key)
        await self._builder.prepare(self._registry, settings, self.snapshot, patience_s=None)
        beside = Routes(self._loop)
        try:
            beside.update(settings.upstreams)
            for snapshot in (Snapshot(), self.snapshot):  # the file's own genomes, and those that serve now
                self._build(settings, beside.all, snapshot)
        finally:
            beside.close()

    async def take_over(self, settings: Settings) -> None:
        """Swap settings in that `check` has passed; where the registry fails now, the next poll brings its news.

        Raises:
            Exception: what they need has gone since; the old ones stay in force.
        """
        async with self._reading:
            before, routes = (self.settings, self.snapshot), dict(self.routes.all)
            try:
                replaced = self.routes.update(settings.upstreams)
                self.settings = settings
                await self._tell(self._read_snapshot())
                self.rebuild()
            except Exception:
                self.settings, self.snapshot = before
                self.routes.restore(routes)
                self.rebuild()
                raise
        recording = settings.recording
        redactor = Redactor(recording.redact, self._key)
        self.core.recorder.configure(bodies=recording.bodies, body_sample=recording.body_sample, redactor=redactor)
        self.spool.configure(recording)
        self.desk.recorded.retain_s = recording.retain_s
        self.core.mirror.concurrency = settings.gateway.mirror_concurrency
        self.grace_s = settings.gateway.limits.drain_s
        self.core.metrics.reloads += 1
        self.reload_error = ""
        for route in replaced:
            route.retire()

    async def _read_snapshot(self, patience_s: float | None = PATIENCE_S) -> None:
        self.snapshot = await read(self._registry, self.settings.policies)
        self.core.outages.hear(self.snapshot.outages)
        await self._builder.prepare(self._registry, self.settings, self.snapshot, patience_s=patience_s)

    def refused(self, message: str) -> None:
        """Note a configuration that was not taken over."""
        self.reload_error = message
        self.core.metrics.reload_failures += 1
        log.error("the changed configuration is not in force: %s", message)

    async def sync(self) -> None:
        """Exchange totals, read what has changed, swap in the next epoch, and anchor the recordings."""
        async with self._reading:
            if self.started_from is not None:
                await self._join()
            try:
                await self.peers.tell()
            except ConflictError as error:  # this one's name is another's: what others decide still holds here
                self.core.fall_open.count("registry", error)
            await self._read_changes()
            self.rebuild()
        await self._anchor()
        await self._remember()

    async def _anchor(self, *, at_once: bool = False) -> None:
        await self.spool.anchor(self._registry, at_once=at_once, under=await self._fence.keep())

    async def _read_changes(self) -> None:
        if (changed := await self._registry.changed()) != self._changed:
            await self._read_snapshot()
            self._changed = changed
            self._forget_ended()
        await self._builder.prepare(self._registry, self.settings, self.snapshot)
        await self.peers.hear()

    def _forget_ended(self) -> None:
        rows = self.snapshot.policies.values()
        running = {experiment.id for policy in rows for experiment in policy.experiments}
        running |= {policy.holdback.experiment for policy in rows if policy.holdback is not None}
        pending = {e for e, run in self.core.evidence.running.items() if run.tripped}
        self.verdicts.tripped &= running | pending
        self.verdicts.suspects &= running

    async def _sync_forever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.gateway.poll_s)
            await self._tell(self.sync())

    async def _tell(self, told: Awaitable[None]) -> None:
        """Whatever the registry may be asked in the background: where it fails, that is counted."""
        try:
            await told
        except Exception as error:  # noqa: BLE001
            self.core.fall_open.count("registry", error)

    def _tick(self) -> None:
        self._timer = self._loop.call_later(JUDGE_EVERY_S, self._tick)
        self._judge()

    def _judge(self) -> None:
        self._alarmed = False
        try:
            self.guard.tick()
        except Exception as error:  # noqa: BLE001
            self.core.fall_open.count("evidence", error)

    def _alarm(self) -> None:
        if not self._alarmed:
            self._alarmed = True
            self._loop.call_later(_ALARM_AFTER_S, self._judge)

    def _not_recorded(self, error: SpoolError) -> None:
        self.core.recording_failed_at = self._loop.time()
        self.core.fall_open.count("record", error)
