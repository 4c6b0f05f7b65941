"""Mirroring to shadow candidates: their answers never reach a client and never delay one.

1. Bounded in concurrency and in dollars a day: the worst case of all calls is reserved before sending, the cost
   settled after.
2. Drops happen only before sending. What was sent and failed is a failure of that candidate.
3. Comparisons are paired: a candidate sees a request only after production has answered it.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.http.messages import Request
from gateway.pipeline.epoch import Arm, Open, PolicyView, Service, Target, Way
from gateway.pipeline.fallopen import FallOpen
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.plan import tenant_of
from gateway.pipeline.receiver import Server
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.settle import Settled
from gateway.pipeline.shot import Shot
from gateway.pipeline.strategy.owner import Owner
from gateway.pipeline.strategy.routing import learn, routed
from gateway.pipeline.strategy.shadowed import Shadowed
from gateway.recording.frames import Signal
from policies.render import Turns
from policies.strategy.choice import most_calls
from policies.strategy.router import Preferred, Routing

Serve = Callable[[Owner, Rendered, Service], Server]

_DAY_S = 86_400.0
_FRACTION = 1.0 / 2**32


class Budget:
    """Dollars of one policy's present day (UTC) and its calls in flight."""

    __slots__ = ("_day", "in_flight", "reserved", "spent")

    def __init__(self) -> None:
        self._day = 0
        self.spent = 0.0
        self.reserved = 0.0
        self.in_flight = 0

    def reserve(self, usd: float, *, limit: float, concurrency: int, now: float, calls: int = 1) -> bool:
        """Whether one more request fits, which makes so many calls at most; then its worst case is set aside."""
        self.turn(now)
        if self.in_flight >= concurrency or self.spent + self.reserved + usd > limit:
            return False
        self.reserved += usd
        self.in_flight += calls
        return True

    def settle(self, reserved: float, actual: float, calls: int = 1) -> None:
        """They have ended."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += actual
        self.in_flight -= calls

    def turn(self, now: float) -> None:
        """Begin a new day where one has begun."""
        day = int(now // _DAY_S)
        if day != self._day:
            self._day, self.spent = day, 0.0


class Mirror:
    """Sends what is sampled. `serve` makes the calls of a strategy; whoever owns the mirror sets it."""

    serve: Serve

    def __init__(self, recorder: Recorder, metrics: Metrics, fall_open: FallOpen, *, concurrency: int) -> None:
        self.recorder = recorder
        self.metrics = metrics
        self.fall_open = fall_open
        self.concurrency = concurrency
        self._budgets: dict[str, Budget] = {}

    def budget(self, policy: str) -> Budget:
        """The policy's purse."""
        return self._budgets.setdefault(policy, Budget())

    def consider(self, sample: "Sample", now: float) -> None:
        """Send the request to every shadow candidate, where it is in the sample and within bounds."""
        view = sample.view
        shadow = view.settings.shadow
        if not _sampled(sample.id, shadow.sample):
            return
        # A whole answer is compared either way; a stream would only cost more to read.
        body = view.dialect.detached(sample.body)
        if body is None:
            return
        for arm in view.shadows:
            self._send(Lot(self, sample, arm, body, now))

    def _send(self, lot: "Lot") -> None:
        shadow = lot.sample.view.settings.shadow
        busy = sum(purse.in_flight for purse in self._budgets.values())
        fits = busy < self.concurrency and lot.budget.reserve(
            lot.reserved, limit=shadow.usd_per_day, concurrency=shadow.concurrency, now=lot.at, calls=lot.calls
        )
        if not fits:
            self.metrics.mirror_dropped += 1
            return
        if lot.arm.open is not None:
            lot.route(lot.arm.open)
        meaning = lot.arm.memory.meaning if lot.arm.memory is not None else None
        if meaning is not None and meaning.waits(lot.sample.turns.text):
            meaning.ask(lot.sample.turns.text, lambda _, usd: self._embedded(lot, usd))
        else:
            self._serve(lot)

    def _embedded(self, lot: "Lot", usd: float) -> None:
        lot.embedding_usd = usd
        self._serve(lot)

    def _serve(self, lot: "Lot") -> None:
        if lot.arm.service is None:
            Shot(lot).send()
        else:
            Shadowed(lot, lot.arm.service).send()


@dataclass(frozen=True, slots=True)
class Sample:
    """A request that production has answered. `bodies` False keeps texts out of the recordings."""

    id: str
    unit: str
    view: PolicyView
    request: Request
    body: dict[str, Any]
    turns: Turns
    model: str
    bodies: bool


class Lot:
    """One candidate's share of a sample: how it is sent, what is set aside for it, and what came of it."""

    __slots__ = (
        "arm", "at", "body", "budget", "calls", "embedding_usd", "mirror", "reserved", "routing", "sample", "way",
    )  # fmt: skip

    def __init__(self, mirror: Mirror, sample: Sample, arm: Arm, body: dict[str, Any], now: float) -> None:
        self.mirror = mirror
        self.sample = sample
        self.arm = arm
        self.body = body  # to be answered whole, and stored nowhere
        self.at = now
        self.budget = mirror.budget(sample.view.name)
        self.calls = most_calls(arm.genome.strategy)
        self.reserved = self.calls * sample.view.settings.budgets.usd_per_request
        self.embedding_usd = 0.0  # that its memory's search has cost
        self.way: Way = arm.way(sample.model)
        self.routing: Routing | Preferred | None = None

    @property
    def tenant(self) -> str:
        """Whose request it is."""
        return tenant_of(self.sample.view, self.sample.request)

    def route(self, arm: Open) -> None:
        """Let the router choose, where the genome leaves the model open."""
        sample, now = self.sample, asyncio.get_running_loop().time()
        try:
            found = routed(arm, sample.view.intents, self.body, sample.request.body, sample.turns, _anywhere, now)
        except Exception as error:  # noqa: BLE001
            self.mirror.fall_open.count("mirror", error)
            return
        if found is not None:
            self.way, self.routing = found

    def over(self, done: Settled, target: Target) -> None:
        """Settle the account, learn which model did well, and put it on record. `target` has answered."""
        self.budget.settle(self.reserved, done.cost_usd, self.calls)
        mirror, sample = self.mirror, self.sample
        try:
            fields = mirror.recorder.fields(done, bodies=sample.bodies)
            data = {"candidate": self.arm.candidate, "arm": self.arm.hash, **fields}
            if self.routing is not None and self.arm.open is not None:
                learn(self.arm.open, self.routing, target, sample.view.gates, done)
                data["routing"] = self.routing.record
            signal = Signal(sample.id, self.at, "shadow", sample.view.name, sample.unit, data)
            mirror.recorder.append(mirror.recorder.signal(signal), None)
        except Exception as error:  # noqa: BLE001
            mirror.fall_open.count("mirror", error)


def _anywhere(target: Target) -> bool:
    """Where an arm of a genome may be sent at all, credentials do not matter."""
    return target.route is not None


def _sampled(request_id: str, share: float) -> bool:
    """A hash of the id, so that every candidate sees the same sample."""
    if share >= 1.0:
        return True
    digest = hashlib.blake2b(request_id.encode(), digest_size=4, person=b"evogate-mirror").digest()
    return int.from_bytes(digest, "big") * _FRACTION < share
