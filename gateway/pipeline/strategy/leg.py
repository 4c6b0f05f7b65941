"""One of the calls that serve a request: the receiver of one courier. It keeps what comes until it is shown."""

from time import perf_counter
from typing import TYPE_CHECKING, Any

from gateway.http.calls import Call
from gateway.http.messages import Headers, Request
from gateway.pipeline.core import Core
from gateway.pipeline.courier import Courier
from gateway.pipeline.epoch import Target
from gateway.pipeline.failures import Failure
from gateway.pipeline.fallopen import Stage
from gateway.pipeline.plan import Plan
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.routes import Route
from policies.outcome import Answer, cost
from policies.resilience import Attempts
from policies.strategy.tactic import Ask

if TYPE_CHECKING:
    from gateway.pipeline.strategy.coordinator import Coordinator
    from gateway.pipeline.strategy.owner import Owner

_OWN = frozenset({"answer", "strong"})


class Leg:
    """Told of by its courier; tells its coordinator once, when it is `over`."""

    def __init__(  # noqa: PLR0917
        self,
        core: Core,
        exchange: "Owner",
        coordinator: "Coordinator",
        ask: Ask,
        rendered: Rendered,
        body: dict[str, Any],
    ) -> None:
        self.ask = ask
        self.body = body
        self.answer: Answer | None = None  # None: there is none yet, or the call has failed
        self.whole: tuple[int, Headers, bytes] | None = None  # an answer that was not streamed
        self.failure: Failure | None = None
        self.valid = True
        self.repairs = 0
        self.over = False
        self.ms = 0.0
        self._exchange = exchange
        self._coordinator = coordinator
        self._head: tuple[int, Headers, Call | None] | None = None
        self._pieces: list[bytes] = []
        self._terminator = b""
        self._repeated = False
        self._shown = False
        self._sent_at = perf_counter()
        self.courier = Courier(core, self, rendered)

    def entry(self, chosen: Answer | None, *, shown: bool) -> dict[str, Any]:
        """Its line on the account, where the request got the answer `chosen`."""
        answer = self.answer or (self.failure.answer if self.failure is not None else None)
        failure = None
        if self.failure is not None:
            failure = self.failure.reason or str(self.failure.status)
        elif not self.over and not shown:
            answer, failure = chosen, "cancelled"
        entry = _entry(self.courier, self.ask.role, answer or (chosen if shown else None))
        entry.update(ms=round(self.ms, 3), valid=self.valid, chosen=shown)
        return entry if failure is None else {**entry, "failure": failure}

    def check(self, *, repairs: bool) -> None:
        """Hold the answer to the policy's validators; with `repairs`, repair on the spot what does not pass."""
        if self.answer is None:
            return
        checks = self.plan.view.checks
        self.valid = checks.passed(self.body, self.answer)
        if self.valid or not repairs or self.whole is None:
            return
        status, headers, raw = self.whole
        better = checks.repaired(self.body, raw, self.answer)
        if better is not None:
            self.whole, self.answer = (status, headers, better[0]), better[1]
            self.repairs, self.valid = 1, True

    # -- to the client -----------------------------------------------------------------------------------------

    @property
    def streams(self) -> bool:
        """Whether it has brought a part of a stream."""
        return self._head is not None

    def show(self) -> None:
        """Pass on what has come so far of a stream, and from now on what comes."""
        self._shown = True
        if self._head is not None:
            self._exchange.began(*self._head)
            self._exchange.said(b"".join(self._pieces))
            self._pieces.clear()

    def conclude(self) -> None:
        """It is over: let the client have its end."""
        exchange = self._exchange
        if self.failure is not None:
            exchange.failed(self.failure, repeated=self._repeated)
        elif self.whole is not None:
            exchange.answered(*self.whole, self.answer)
        elif self.answer is not None:
            exchange.ended(self._terminator, self.answer)

    # -- asked by the courier ----------------------------------------------------------------------------------

    @property
    def request(self) -> Request:
        """The client's."""
        return self._exchange.request

    @property
    def id(self) -> str:
        """The request's."""
        return self._exchange.id

    @property
    def model(self) -> str:
        """As the client asked."""
        return self._exchange.model

    @property
    def plan(self) -> Plan:
        """The request's."""
        return self._exchange.plan

    @property
    def trace(self) -> Any:
        """The request's."""
        return self._exchange.trace

    @trace.setter
    def trace(self, trace: Any) -> None:
        self._exchange.trace = trace

    @property
    def blames_upstream(self) -> bool:
        """As for the request."""
        return self._exchange.blames_upstream

    def place(self, target: Target, now: float, avoid: Route | None) -> Route | None:
        """As for the request."""
        return self._exchange.place(target, now, avoid)

    def attempts(self, now: float) -> Attempts:
        """As for the request, but only its own call has fallbacks: any other has the rest of its kind beside it."""
        return self._exchange.attempts(now, falls_back=self.ask.role in _OWN)

    def rendered_for(self, leg: int) -> Rendered:
        """As for the request, whose own call it is where there are fallbacks."""
        return self._exchange.rendered_for(leg) if leg else self.courier.rendered

    def read(self, body: bytes) -> Answer | None:
        """As for the request."""
        return self._exchange.read(body)

    def failed_open(self, stage: Stage, error: Exception) -> None:
        """Counted as the request's."""
        self._exchange.failed_open(stage, error)

    # -- told by the courier -----------------------------------------------------------------------------------

    def sending(self) -> None:
        """The first of them ends what the gateway took before it."""
        self._exchange.sending()

    def arrived(self) -> None:
        """Of interest to the client only once it is shown."""
        if self._shown:
            self._exchange.arrived()

    def answered(self, status: int, headers: Headers, body: bytes, answer: Answer | None) -> None:
        """A whole answer."""
        self.whole, self.answer = (status, headers, body), answer
        self._over()

    def began(self, status: int, headers: Headers, call: Call | None) -> None:
        """A stream."""
        if self._head is None:
            self._head = (status, headers, call)
        if self._shown:
            self._exchange.began(status, headers, call)

    def said(self, data: bytes) -> None:
        """A piece of it."""
        if self._shown:
            self._exchange.said(data)
        else:
            self._pieces.append(data)

    def ended(self, terminator: bytes, answer: Answer) -> None:
        """It is whole."""
        self._terminator, self.answer = terminator, answer
        self._over()

    def failed(self, failure: Failure, *, repeated: bool) -> None:
        """There is no answer, or not all of it."""
        self.failure, self._repeated = failure, repeated
        self._over()

    def _over(self) -> None:
        self.over = True
        self.ms = (perf_counter() - self._sent_at) * 1000.0
        self._coordinator.came(self)


def plain_entry(courier: Courier, answer: Answer | None) -> dict[str, Any]:
    """The line of the request's own call, made after a fault."""
    return {**_entry(courier, "answer", answer), "ms": 0.0, "valid": True, "chosen": True}


def _entry(courier: Courier, role: str, answer: Answer | None) -> dict[str, Any]:
    target = courier.rendered.target
    usd = cost(answer, target.input_price, target.cached_price, target.output_price) if answer is not None else 0.0
    return {"role": role, "model": target.model.key if target.model is not None else "", "cost_usd": usd}
