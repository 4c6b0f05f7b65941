"""What one worker holds in memory, and what it learns from each request. The path reads this and nothing else."""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gateway.embeddings.embedder import Embedder
from gateway.pipeline.clock import Clock
from gateway.pipeline.entropy import Entropy
from gateway.pipeline.epoch import Epoch, PolicyView
from gateway.pipeline.fallopen import FallOpen
from gateway.pipeline.live import LiveEvidence
from gateway.pipeline.metrics import ArmCounters, Metrics
from gateway.pipeline.mirror import Mirror, Sample
from gateway.pipeline.observer import Observer
from gateway.pipeline.outages import Outages
from gateway.pipeline.posteriors import Posteriors
from gateway.pipeline.recent import Recent, RecentRequests
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.settle import Settled
from gateway.pipeline.signals import observe, tool_results
from gateway.recording.frames import Signal
from gateway.recording.ids import IdSource
from gateway.telemetry.lines import covered_failed
from policies.outcome.classes import PROVIDERS
from policies.pins import Pins, PinTable
from policies.unit import Lineages

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange
    from gateway.pipeline.receiver import Server

log = logging.getLogger("evogate.pipeline")

_FRESH: Final = frozenset({"draw", "only"})
_RECORDING_HEALS_S: Final = 2.5  # the spool tries again each second while its disk fails


class Core:
    """The state of one worker. `epoch` is replaced whole, everything else lives as long as the worker."""

    def __init__(
        self,
        *,
        writer: str,
        key: bytes,
        recorder: Recorder,
        mirror: Mirror,
        metrics: Metrics,
        fall_open: FallOpen,
        clock: Clock,
        loop: asyncio.AbstractEventLoop,
        idle_unit_s: float,
    ) -> None:
        self.writer = writer
        self.key = key
        self.recorder = recorder
        self.mirror = mirror
        self.metrics = metrics
        self.fall_open = fall_open
        self.now = clock
        self.loop = loop
        self.ids = IdSource(Entropy())
        self.evidence = LiveEvidence(writer)
        self.posteriors = Posteriors(writer)
        self.outages = Outages()
        self.recent = RecentRequests()
        self.lineages = Lineages()
        self.embedder = Embedder(loop)
        self.pins: dict[str, PinTable] = {}
        self.epoch: Epoch
        self.observer: Observer | None = None
        self.on_alarm: Callable[[], None] = _nobody  # a unit of an experiment has failed
        self.recording_failed_at = float("-inf")  # on the loop's clock
        self._idle_unit_s = idle_unit_s

    def new_id(self) -> str:
        """A request id."""
        return self.ids.new(int(self.now() * 1e9))

    # -- asked by an exchange ----------------------------------------------------------------------------------

    def pins_of(self, view: PolicyView) -> PinTable | None:
        """The policy's pins; None where each request is a unit of its own."""
        if view.unit_kind == "request":
            return None
        pins = self.pins.get(view.name)
        if pins is None:
            pins = self.pins[view.name] = Pins(idle_s=self._idle_unit_s)
        return pins

    @property
    def recording(self) -> bool:
        """Whether frames reach the disk."""
        return self.loop.time() - self.recording_failed_at > _RECORDING_HEALS_S

    # -- told by an exchange -----------------------------------------------------------------------------------

    def assigned(self, exchange: "Exchange") -> Recent:
        """Remember the request, see what it says about the one before it, and enter it into evidence."""
        text = exchange.turns.text
        plan = exchange.plan
        entry = Recent(
            exchange.id, exchange.at, plan.view.name, plan.unit, plan.turn, plan.arm.hash, plan.entrances,
            plan.why in _FRESH, hash(text),
        )  # fmt: skip
        try:
            before = self.recent.add(entry)
            if before is not None:
                self._compare(before, entry, exchange)
            entry.intent = exchange.intent
        except Exception as error:  # noqa: BLE001
            exchange.failed_open("signals", error)
        if plan.entrances:
            try:
                self.evidence.assigned(plan.entrances, plan.unit, exchange.at)
            except Exception as error:  # noqa: BLE001
                exchange.failed_open("evidence", error)
        return entry

    def settled(self, exchange: "Exchange", entry: Recent, done: Settled, now: float) -> None:
        """Count, and learn from a unit's first answer."""
        plan = exchange.plan
        _count(plan.arm.counters, done)
        failure, reward = done.failure, done.reward
        entry.essence = done.essence
        entry.reward = reward
        try:
            if plan.entrances:
                self.evidence.settled(plan.entrances, plan.unit, failure, now)
                if failure is not None:
                    self.on_alarm()
            elif failure is not None and entry.entrances:
                self.evidence.followed(entry.entrances, entry.unit, failure, now)
                self.on_alarm()
            if plan.view.dialect.stores and done.answer is not None:
                self.lineages.answered(exchange.turns, done.answer.id, plan.unit, plan.turn)
            if entry.fresh and reward is not None:
                self.posteriors.add(entry.policy, entry.arm, reward, entry.intent)
                route = exchange.rendered.target.route
                if route is not None:
                    self.outages.add(route.name, entry.policy, entry.arm, failure in PROVIDERS, now)
        except Exception as error:  # noqa: BLE001
            self.fall_open.count("evidence", error)

    def observed(self, exchange: "Exchange", courier: "Server", done: Settled, now: float) -> None:
        """Let the log and the observer know."""
        try:
            if done.failure is not None:
                covered_failed(exchange, courier, done)
            if self.observer is not None:
                self.observer.ended(exchange, courier, done, now)
        except Exception as error:  # noqa: BLE001
            self.fall_open.count("telemetry", error)

    def mirror_later(self, exchange: "Exchange") -> None:
        """Show the request to the shadows, once the answer is on its way."""
        self.loop.call_soon(self._mirror, exchange)

    def _mirror(self, exchange: "Exchange") -> None:
        try:
            sample = Sample(
                exchange.id,
                exchange.plan.unit,
                exchange.plan.view,
                exchange.request,
                exchange.body,
                exchange.turns,
                exchange.model,
                exchange.records,
            )
            self.mirror.consider(sample, self.now())
        except Exception as error:  # noqa: BLE001
            self.fall_open.count("mirror", error)

    def _compare(self, before: Recent, entry: Recent, exchange: "Exchange") -> None:
        if not entry.entrances and before.arm == entry.arm:
            entry.entrances = before.entrances  # feedback on a later turn speaks of the unit's experiment
        turns = exchange.turns
        results = tool_results(exchange.body, turns.last)
        kind = observe(before, turn=entry.turn, text=turns.text, said=entry.said, now=entry.at, results=results)
        if kind is None:
            return
        self.metrics.signals += 1
        data = {"by": entry.id}
        frame = self.recorder.signal(Signal(before.id, entry.at, kind, entry.policy, entry.unit, data))
        self.recorder.append(frame, None)


def _count(counters: ArmCounters, done: Settled) -> None:
    counters.requests += 1
    counters.latency.observe(done.last_byte_ms / 1000.0)
    if done.first_byte_ms:
        counters.first_byte.observe(done.first_byte_ms / 1000.0)
    counters.cost_usd += done.cost_usd
    answer = done.answer
    if answer is not None:
        counters.input_tokens += answer.input_tokens
        counters.output_tokens += answer.output_tokens
    if done.failure is not None:
        counters.failed(done.failure)
    if done.reward is not None:
        counters.reward += done.reward
        counters.rewarded += 1


def _nobody() -> None:
    """Before anybody listens."""
