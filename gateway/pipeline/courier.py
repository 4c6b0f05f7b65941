"""A covered request's way to an upstream and back, over as many attempts as its policy allows.

1. What comes is read before it is passed on. A failure is met by another attempt as long as the client has nothing of
   the answer (`policies.resilience` decides), and told to the client otherwise.
2. A stream's head goes out with its first event, so that a stream that never begins can be asked for again.
3. An attempt that an upstream admitted is finished there exactly once, with what came of it.
4. A client that hangs up ends everything at once: the call, the place in a queue, the wait before a retry.
"""

import logging
from random import SystemRandom

from gateway.http.calls import Call
from gateway.http.errors import UpstreamError
from gateway.http.framing import find
from gateway.http.messages import Headers
from gateway.pipeline.admission import Refused
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import block_for
from gateway.pipeline.reading import failure_of, reported_in
from gateway.pipeline.receiver import Receiver
from gateway.pipeline.recovery import Recovery
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.routes import Route
from gateway.pipeline.streaming import Stream
from policies.outcome import Answer
from policies.resilience import Permit, Rescue, TimeoutRules, Trouble

log = logging.getLogger("evogate.pipeline")

_EVENT_STREAM = b"text/event-stream"
_TRIAL = Trouble("trial")  # of a kind that counts for nothing
_uniform = SystemRandom().random  # jitter of waits


class Courier:
    """A sink of upstream events. Tells its exchange `answered`, or `began`, `said` and `ended`, or `failed`."""

    # What most requests never change stands here once, rather than being set for each.
    _call: Call | None = None
    _route: Route | None = None
    _permit: Permit | None = None
    _recovery: Recovery | None = None
    _stream: Stream | None = None
    _rescue: Rescue | None = None
    _chunks: list[bytes]  # of a whole answer in pieces, once its head has come
    _headers: Headers
    _began = False
    _over = False
    _leg = 0
    tries = 0  # attempts so far
    status = 0  # of the last upstream that answered; 0 where none did

    def __init__(self, core: Core, exchange: Receiver, rendered: Rendered) -> None:
        self._core = core
        self._exchange = exchange
        self._relayed: tuple[bytes, ...] = ()  # kept only where a rescue may need it
        self.rendered = rendered  # what the present attempt sends, and where

    @property
    def fell_back(self) -> bool:
        """Whether another place than the first was asked last."""
        return self._leg > 0

    @property
    def answer(self) -> Answer | None:
        """What has been read of a stream so far."""
        return self._stream.answer if self._stream is not None else None

    @property
    def sequence(self) -> int:
        """The number of the stream's next event, where the endpoint numbers them."""
        return self._stream.sequence if self._stream is not None else 0

    def account(self, answer: Answer | None) -> None:
        """None: it makes one call at a time, and the answer tells what it cost."""

    # -- out ---------------------------------------------------------------------------------------------------

    def send(self) -> None:
        """Begin an attempt: ask the upstream to be let in."""
        if self._over:
            return
        now = self._core.loop.time()
        route = self._exchange.place(self.rendered.target, now, avoid=self._route)
        if route is None:
            self._fail(Failure(503, "no_upstream", "no upstream is configured; add one under `upstreams`"), None)
            return
        self._route = route
        permit = route.admission.admit(now, self)
        if type(permit) is Permit:
            self.on_admitted(permit)
        elif type(permit) is Refused:
            self.on_refused(permit)

    def on_admitted(self, permit: Permit) -> None:
        """Go."""
        route, exchange, rendered = self._route, self._exchange, self.rendered
        assert route is not None
        self._permit = permit
        self.status = 0
        self.tries += 1
        request, model, observer = exchange.request, rendered.target.model, self._core.observer
        try:
            exchange.sending()
            self._call = route.call(
                request.method,
                route.path(request.target, model.model if model is not None else exchange.model),
                block_for(request, route, readable=True) if observer is None else observer.block(exchange, route),
                rendered.payload,
                self,
                self._timeouts(),
            )
        except Exception as error:
            fields = {"request_id": exchange.id}
            log.warning("the call to upstream %s failed here", route.name, exc_info=error, extra={"fields": fields})
            self._permit = None
            route.admission.finish(permit, Trouble("upstream_call"), self._core.loop.time())
            message = f"the call to the upstream failed: {error}"
            self._fail(Failure(502, "upstream_call", message, "upstream_call"), None)

    def _timeouts(self) -> TimeoutRules | None:
        """The arm's; another attempt has what is left of the total."""
        rules, recovery = self._exchange.plan.arm.timeouts, self._recovery
        if recovery is None:
            return rules
        return (rules or TimeoutRules()).within(recovery.attempts.left_s(self._core.loop.time()))

    def on_refused(self, refused: Refused) -> None:
        """The upstream is not to be asked now."""
        self._fail(Failure.refused(refused), Trouble("refused", retry_after_s=refused.retry_after_s))

    def give_up(self) -> None:
        """The client has gone."""
        self._over = True
        if self._recovery is not None:
            self._recovery.cancel()
        if self._route is not None and self._permit is None:
            self._route.admission.leave(self)
        self._leave(Trouble("gone"))

    # -- in ----------------------------------------------------------------------------------------------------

    def on_whole(self, status: int, headers: Headers, body: bytes, content_type: bytes) -> None:
        """All of an answer at once."""
        if status < 300 and content_type.startswith(_EVENT_STREAM):
            self.on_head(status, headers)
            self.on_data(body)
            self.on_end()
            return
        self.status, self._headers = status, headers
        self._exchange.arrived()
        self._whole(body)

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins: a stream, or a whole answer in pieces."""
        self.status, self._headers = status, headers
        self._exchange.arrived()
        permit, route = self._permit, self._route
        if permit is not None and permit.probe and status < 500 and status != 429 and route is not None:
            route.admission.health.began(permit, self._core.loop.time())
        if status < 300 and (find(headers, b"content-type") or b"").startswith(_EVENT_STREAM):
            self._stream = Stream(self._exchange.plan.view.dialect, hide_usage=self.rendered.hides_usage)
        else:
            self._stream, self._chunks = None, []

    def on_data(self, data: bytes) -> None:
        """A piece of the body: a stream's goes on at once, all but its terminator."""
        stream = self._stream
        if stream is None:
            self._chunks.append(data)
        elif not self._over and self._permit is not None:
            relay = stream.feed(data)
            if stream.over:
                self._stream_over(stream, relay)
            elif relay:
                self._pass(relay)

    def on_end(self) -> None:
        """The body is complete, as far as HTTP can tell."""
        stream = self._stream
        if stream is None:
            self._whole(b"".join(self._chunks))
        elif not self._over and self._permit is not None:
            self._stream_over(stream, stream.finish())

    def on_error(self, error: UpstreamError) -> None:
        """No answer, or not all of it."""
        if not self._over and self._permit is not None:
            self._fail(Failure.of(error), Trouble(error.kind, self.status))

    # -- whole answers -----------------------------------------------------------------------------------------

    def _whole(self, body: bytes) -> None:
        exchange, status = self._exchange, self.status
        answer = exchange.read(body) if 200 <= status < 300 else None
        streams = exchange.body.get("stream") is True
        wrong = failure_of(status, self._headers, body, answer, self._core.now(), streams=streams)
        if wrong is None:
            self._succeed()
            exchange.answered(status, self._headers, body, answer)
        else:
            self._fail(*wrong)

    # -- streams -----------------------------------------------------------------------------------------------

    def _pass(self, relay: bytes) -> bool:
        """Let the client have it; False where a rescue has failed, and with it the attempt."""
        if self._rescue is not None:
            relay = self._rescue.feed(relay)
            if self._rescue.failure is not None:
                self._diverged(self._rescue.failure)
                return False
        if relay:
            if not self._began:
                self._began = True
                self._exchange.began(self.status, self._headers, self._call)
            if self._exchange.plan.arm.rules.rescue:
                self._relayed += (relay,)
            self._exchange.said(relay)
        return True

    def _stream_over(self, stream: Stream, last: bytes) -> None:
        if stream.whole:
            if self._pass(last) and self._rescued():
                self._succeed()
                self._exchange.ended(stream.terminator, stream.answer)
        elif stream.reported:
            self._fail(*reported_in(last, stream.answer))
        else:  # half an event is of no use to anybody, and would spoil the error event behind it
            kind, message = stream.fault
            broke = kind if kind == "truncated" else None
            self._fail(Failure(502, kind, message, broke, answer=stream.answer), Trouble(kind, self.status))

    def _diverged(self, message: str) -> None:
        self._fail(Failure(502, "diverged", message, "truncated"), Trouble("diverged", self.status))

    def _rescued(self) -> bool:
        """Whether nothing is missing of a rescue's second answer."""
        rescue = self._rescue
        if rescue is None:
            return True
        last = rescue.finish()
        if rescue.failure is not None:
            self._diverged(rescue.failure)
            return False
        if last:
            self._exchange.said(last)
        return True

    # -- ends --------------------------------------------------------------------------------------------------

    def _succeed(self) -> None:
        self._over = True
        route, permit = self._route, self._permit
        self._permit = None
        if route is not None and permit is not None:
            route.finish(permit, None, self._core.loop.time())

    def _leave(self, trouble: Trouble) -> None:
        """The attempt is over."""
        route, permit, call = self._route, self._permit, self._call
        self._permit = self._call = None
        if route is not None and permit is not None:
            if call is not None:
                call.cancel()
            counted = trouble if self._exchange.blames_upstream else _TRIAL
            route.finish(permit, counted, self._core.loop.time())

    def _fail(self, failure: Failure, trouble: Trouble | None) -> None:
        """Try again, here or elsewhere; or let the client know."""
        if trouble is not None:
            self._leave(trouble)
            if self._go_on(trouble):
                return
        self._over = True
        recovery = self._recovery
        self._exchange.failed(failure, repeated=recovery is not None and recovery.attempts.tried_again)

    def _go_on(self, trouble: Trouble) -> bool:
        """Whether there will be another attempt."""
        now = self._core.loop.time()
        if self._recovery is None:
            self._recovery = Recovery(self._exchange.attempts(now), self._resend, _uniform, self._core.loop)
        recovery = self._recovery
        again = recovery.failed(trouble, b"".join(self._relayed) if self._began else None, now)
        self._core.metrics.told(recovery.step, trouble)
        return again

    def _resend(self, leg: int, rescue: Rescue | None) -> None:
        self._stream, self._rescue = None, rescue
        if leg != self._leg:
            self._leg = leg
            try:
                self.rendered = self._exchange.rendered_for(leg)
            except Exception as error:  # noqa: BLE001
                self._exchange.failed_open("render", error)
        self.send()
