"""One mirrored request of a candidate whose strategy takes several calls: served as a client's would be, to nobody.

1. Its calls pass no admission: neither do they take a client's place, nor do they say how an upstream is.
2. It has no retries and no fallbacks, as a mirrored call of any other candidate has none.
"""

from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import orjson

from gateway.http.calls import Call
from gateway.http.messages import Headers
from gateway.pipeline.aside import Aside
from gateway.pipeline.epoch import Service, Target
from gateway.pipeline.failures import Failure
from gateway.pipeline.fallopen import Stage
from gateway.pipeline.plan import Plan
from gateway.pipeline.receiver import Server
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.routes import Route
from gateway.pipeline.settle import Settled, settle
from policies.outcome import Answer
from policies.resilience import Attempts, ResilienceRules

if TYPE_CHECKING:
    from gateway.pipeline.mirror import Lot

_ONCE = ResilienceRules(retries=0)


class Shadowed:
    """The owner of several calls; see `Owner` for what they ask and tell."""

    blames_upstream = False
    trace: Any = None

    def __init__(self, lot: "Lot", service: Service) -> None:
        sample = lot.sample
        self._lot = lot
        self._service = service
        self._began = perf_counter()
        self._first_ms = 0.0
        self._fell_open = self._over = False
        self._server: Server | None = None
        self.id = sample.id
        self.body = lot.body
        self.turns = sample.turns
        self.model = sample.model
        self.way = lot.way
        self.plan = Plan(sample.view, lot.arm, sample.unit, 1, "only")

    def send(self) -> None:
        """Render and begin; a fault here fails the candidate."""
        lot, sample = self._lot, self._lot.sample
        try:
            # A memo of its own: what is sent aside is kept with no later request of the same head.
            self.request = replace(sample.request, body=orjson.dumps(self.body), memo={})
            memory = lot.arm.memory.recall(self.turns.text, lot.tenant) if lot.arm.memory is not None else []
            payload = self.way.renderer.render(self.body, [entry for entry, _ in memory], turns=self.turns)
            rendered = Rendered(self.way.target, payload, memory)
            self._server = lot.mirror.serve(self, rendered, self._service)
            self._server.send()
            lot.mirror.metrics.mirrored += 1
        except Exception as error:  # noqa: BLE001
            self.failed_open("mirror", error)
            self._end(0, None, None)

    # -- asked by its calls ------------------------------------------------------------------------------------

    def may_go(self, target: Target) -> bool:
        """Where an arm of the genome may be sent at all."""
        return target.route is not None

    def place(self, target: Target, now: float, avoid: Route | None) -> Route | None:
        """The upstream that a client's call would go to, past its admission."""
        route = target.route
        if target.places is not None:
            route = target.places.pick(self.plan.unit, now, credentials=False, avoid=avoid)
        return Aside(route) if route is not None else None

    def attempts(self, now: float, *, falls_back: bool = True) -> Attempts:  # noqa: ARG002
        """One each."""
        return Attempts(_ONCE, self.plan.view.retries, legs=1, deadline=now)

    def rendered_for(self, leg: int) -> Rendered:
        """There is no other leg than the first."""
        raise LookupError(f"a mirrored call has no fallback {leg}")

    def read(self, body: bytes) -> Answer | None:
        """The answer in a body; None where a fault here keeps us from reading it."""
        try:
            return self.plan.view.dialect.read_answer(body)
        except Exception as error:  # noqa: BLE001
            self.failed_open("mirror", error)
            return None

    def failed_open(self, stage: Stage, error: Exception) -> None:  # noqa: ARG002
        """A fault while mirroring, whatever the stage: the candidate's, and no client's."""
        self._fell_open = True
        self._lot.mirror.fall_open.count("mirror", error)

    # -- told by its calls -------------------------------------------------------------------------------------

    def sending(self) -> None:
        """Of interest to clients only."""

    def arrived(self) -> None:
        """The answer that is presented has begun."""
        self._first_ms = self._elapsed_ms()

    def answered(self, status: int, headers: Headers, body: bytes, answer: Answer | None) -> None:  # noqa: ARG002
        """A whole answer."""
        self._end(status, answer, None)

    def failed(self, failure: Failure, *, repeated: bool) -> None:  # noqa: ARG002
        """Nothing helped."""
        self._end(failure.status, failure.answer, failure.kind)

    def began(self, status: int, headers: Headers, call: Call | None) -> None:
        """Nobody asked for a stream; it is read to its end."""

    def hold(self, comment: bytes) -> None:
        """Nobody waits."""

    def said(self, data: bytes) -> None:
        """A piece of a stream, which was read already."""

    def ended(self, terminator: bytes, answer: Answer) -> None:  # noqa: ARG002
        """A stream is whole."""
        self._end(200, answer, None)

    # -- ends --------------------------------------------------------------------------------------------------

    def _elapsed_ms(self) -> float:
        return (perf_counter() - self._began) * 1000.0

    def _end(self, status: int, answer: Answer | None, transport: str | None) -> None:
        if self._over:
            return
        self._over = True
        server, self._server = self._server, None  # no cycle is left for the collector
        target = server.rendered.target if server is not None else self.way.target
        self._lot.over(self._judge(server, target, status, answer, transport), target)

    def _judge(
        self, server: Server | None, target: Target, status: int, answer: Answer | None, transport: str | None
    ) -> Settled:
        elapsed = self._elapsed_ms()
        try:
            return settle(
                self.plan.view,
                target,
                self.body,
                status=status,
                provider_status=server.status if server is not None else 0,
                answer=answer,
                transport_error=transport,
                first_byte_ms=self._first_ms,
                last_byte_ms=elapsed,
                fell_open=self._fell_open,
                attempts=server.tries if server is not None else 0,
                account=server.account(answer) if server is not None else None,
                embedding_usd=self._lot.embedding_usd,
            )
        except Exception as error:  # noqa: BLE001
            self._lot.mirror.fall_open.count("mirror", error)
            return Settled.fell_open(status, self._first_ms, elapsed)
