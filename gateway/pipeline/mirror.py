"""Mirroring to shadow candidates: their answers never reach a client and never delay one.

1. Bounded in concurrency and in dollars a day: the worst case is reserved before sending, the cost settled after.
2. Drops happen only before sending. What was sent and failed is a failure of that candidate.
3. Comparisons are paired: a candidate sees a request only after production has answered it.
"""

import hashlib
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers, Request
from gateway.pipeline.epoch import Arm, PolicyView, Way
from gateway.pipeline.fallopen import FallOpen
from gateway.pipeline.headers import upward
from gateway.pipeline.metrics import Metrics
from gateway.pipeline.recorder import Recorder
from gateway.pipeline.settle import Settled, settle
from gateway.recording.frames import Signal
from policies.render import Turns

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

    def reserve(self, usd: float, *, limit: float, concurrency: int, now: float) -> bool:
        """Whether one more call fits; then its worst case is set aside."""
        self.turn(now)
        if self.in_flight >= concurrency or self.spent + self.reserved + usd > limit:
            return False
        self.reserved += usd
        self.in_flight += 1
        return True

    def settle(self, reserved: float, actual: float) -> None:
        """The call has ended."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += actual
        self.in_flight -= 1

    def turn(self, now: float) -> None:
        """Begin a new day where one has begun."""
        day = int(now // _DAY_S)
        if day != self._day:
            self._day, self.spent = day, 0.0


class Mirror:
    """Sends what is sampled."""

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
            budget = self.budget(view.name)
            worst = view.settings.budgets.usd_per_request
            busy = sum(purse.in_flight for purse in self._budgets.values())
            fits = busy < self.concurrency and budget.reserve(
                worst, limit=shadow.usd_per_day, concurrency=shadow.concurrency, now=now
            )
            if fits:
                Shot(self, sample, arm, body, budget, at=now).send()
            else:
                self.metrics.mirror_dropped += 1


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


class Shot:
    """One mirrored call: a sink."""

    __slots__ = (
        "_arm", "_at", "_began", "_body", "_budget", "_chunks", "_first_ms", "_mirror", "_reserved", "_sample", "_sent",
        "_status", "_way",
    )  # fmt: skip

    def __init__(
        self, mirror: Mirror, sample: Sample, arm: Arm, body: dict[str, Any], budget: Budget, *, at: float
    ) -> None:
        self._mirror = mirror
        self._sample = sample
        self._arm = arm
        self._way: Way = arm.way(sample.model)
        self._body = body
        self._budget = budget
        self._reserved = sample.view.settings.budgets.usd_per_request
        self._at = at
        self._began = perf_counter()
        self._chunks: list[bytes] = []
        self._status = 0
        self._first_ms = 0.0
        self._sent = False

    def send(self) -> None:
        """Render and send; a fault here fails the candidate, for its own render is at fault."""
        route, arm, request = self._way.target.route, self._arm, self._sample.request
        if route is None:
            self._end("no_upstream")
            return
        try:
            turns = self._sample.turns
            memory = arm.memory.recall(turns.text) if arm.memory is not None else []
            payload = self._way.renderer.render(self._body, [entry for entry, _ in memory], turns=turns)
            headers = upward(request.headers, route.credential, route.address.version, readable=True)
            model = self._way.target.model
            path = route.path(request.target, model.model if model is not None else self._sample.model)
            route.call(request.method, path, headers, payload, self)
        except Exception as error:  # noqa: BLE001
            self._mirror.fall_open.count("mirror", error)
            self._end(None, fell_open=True)
            return
        self._sent = True
        self._mirror.metrics.mirrored += 1

    def on_head(self, status: int, headers: Headers) -> None:  # noqa: ARG002
        """The answer begins."""
        self._status = status
        self._first_ms = self._elapsed_ms()

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        self._end(None)

    def on_error(self, error: UpstreamError) -> None:
        """It failed, after it was sent: a failure of the candidate."""
        self._end(error.kind)

    def _elapsed_ms(self) -> float:
        return (perf_counter() - self._began) * 1000.0

    def _end(self, transport: str | None, *, fell_open: bool = False) -> None:
        route = self._way.target.route
        if self._sent and route is not None:
            route.done()
        done = self._judge(transport, fell_open=fell_open)
        self._budget.settle(self._reserved, done.cost_usd)
        try:
            fields = self._mirror.recorder.fields(done, bodies=self._sample.bodies)
            data = {"candidate": self._arm.candidate, "arm": self._arm.hash, **fields}
            signal = Signal(self._sample.id, self._at, "shadow", self._sample.view.name, self._sample.unit, data)
            self._mirror.recorder.append(self._mirror.recorder.signal(signal), None)
        except Exception as error:  # noqa: BLE001
            self._mirror.fall_open.count("mirror", error)

    def _judge(self, transport: str | None, *, fell_open: bool) -> Settled:
        elapsed = self._elapsed_ms()
        try:
            ok = 200 <= self._status < 300 and transport is None
            return settle(
                self._sample.view,
                self._way.target,
                self._body,
                status=self._status,
                provider_status=self._status,
                answer=self._sample.view.dialect.read_answer(b"".join(self._chunks)) if ok else None,
                transport_error=transport,
                first_byte_ms=self._first_ms,
                last_byte_ms=elapsed,
                client_gone=False,
                fell_open=fell_open,
            )
        except Exception as error:  # noqa: BLE001
            self._mirror.fall_open.count("mirror", error)
            return Settled.fell_open(self._status, self._first_ms, elapsed)


def _sampled(request_id: str, share: float) -> bool:
    """A hash of the id, so that every candidate sees the same sample."""
    if share >= 1.0:
        return True
    digest = hashlib.blake2b(request_id.encode(), digest_size=4, person=b"evogate-mirror").digest()
    return int.from_bytes(digest, "big") * _FRACTION < share
