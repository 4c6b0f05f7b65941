"""One covered request from its arrival to its last byte: what the client gets, and what is recorded of it.

1. The assignment frame is written before the upstream call goes out.
2. The outcome frame is on disk before the terminator goes out: a whole answer, `[DONE]`, an error's end. At the level
   `power_safe` it is synced, and with it the assignment, which no call has to wait for.
3. Every request that was assigned settles exactly once, hang-ups and cuts included.
4. No fault of ours costs the client its answer; each is counted, and fails the arm it was assigned to.
"""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from gateway.embeddings.memories import Meaning
from gateway.http.calls import Call
from gateway.http.messages import Headers, Reply, Request
from gateway.pipeline import answers
from gateway.pipeline.core import Core
from gateway.pipeline.courier import Courier
from gateway.pipeline.epoch import Epoch, Open, PolicyView, Target, Way
from gateway.pipeline.failures import Failure
from gateway.pipeline.fallopen import Stage
from gateway.pipeline.plan import Plan, conversation_of, decide, short, tenant_of
from gateway.pipeline.receiver import Server
from gateway.pipeline.recent import Recent
from gateway.pipeline.rendering import Rendered, render, render_for
from gateway.pipeline.routes import Route
from gateway.pipeline.settle import Settled, settle
from gateway.pipeline.strategy.coordinator import server_for
from gateway.pipeline.strategy.routing import learn, routed
from policies.intents import Classifier
from policies.outcome import Answer
from policies.resilience import Attempts
from policies.strategy.router import Preferred, Routing


class Exchange:
    """The owner of one reply; its courier brings the answer."""

    __deletable__ = ("_courier",)  # asked for by mypyc, see deploy/compile.py

    # What most requests never change stands here once, rather than being set for each.
    _recent: Recent | None = None
    _before_s = 0.0
    _first_ms = 0.0
    _answered_ms = 0.0
    _fell_open = False
    _ended = False
    _streams = False
    _waits = False  # for an embedding, and nothing is on record yet
    _embedding_usd = 0.0  # what that embedding cost
    _way: Way | None = None  # where the router has chosen it
    _last: tuple[int, Headers, bytes]  # the whole answer, once it waits for its record
    routing: Routing | Preferred | None = None
    trace: Any = None  # a note of the observer's
    tenant = ""  # whose it is, where its policy tells tenants apart
    intent = ""  # what it is about, where its policy tells intents apart

    def __init__(  # noqa: PLR0917 - keywords would cost more than the rest of the call
        self, core: Core, epoch: Epoch, view: PolicyView, request: Request, reply: Reply,
        path: str, body: dict[str, Any], model: str,
    ) -> None:  # fmt: skip
        self._began = perf_counter()
        self.at = core.now()
        self.id = core.ids.new(int(self.at * 1e9))
        self._core = core
        self._epoch = epoch
        self.request = request
        self.path = path
        self._reply = reply
        self.body = body
        self.model = model
        reply.on_gone = self._gone
        self.turns = view.dialect.turns(body)
        if view.tenant_header is not None:
            self.tenant = tenant_of(view, request)
        if view.intents is not None:
            self.intent = self._ask(view.intents)
        self.plan = self._choose(view)
        self.records = request.index.get(b"x-evogate-record") != b"off" and core.recorder.keeps(self.plan.unit)
        if self.plan.arm.open is not None:
            self._route(self.plan.arm.open)
        self._prepare()

    # -- before the call ---------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.rendered = render(
            self._epoch, self.plan, self.body, self.turns, self.request.body, self.model, self._render_failed,
            self._way, self.tenant,
        )  # fmt: skip
        service = self.plan.arm.service
        if service is None or self._fell_open:
            self._courier: Server = Courier(self._core, self, self.rendered)
        else:
            self._courier = server_for(self._core, self, self.rendered, service)

    def begin(self) -> None:
        """Record the assignment, then send; both once its embedding is there, where the arm's memory asks for one."""
        memory = self.plan.arm.memory
        if memory is None or memory.meaning is None or not self._asks(memory.meaning):
            self._begin()

    def _asks(self, meaning: Meaning) -> bool:
        """Whether the request waits for its embedding."""
        try:
            if meaning.waits(self.turns.text):
                self._waits = True
                meaning.ask(self.turns.text, self._meant)
                return True
        except Exception as error:  # noqa: BLE001
            self._waits = False
            self.failed_open("render", error)
        return False

    def _meant(self, found: bool, usd: float) -> None:
        """What was rendered by words alone stands, unless the embedding has come."""
        self._embedding_usd = usd
        if not self._ended:
            self._waits = False
            if found:
                try:
                    self._prepare()
                except Exception as error:  # noqa: BLE001
                    self.failed_open("render", error)
            self._begin()

    def _begin(self) -> None:
        core, view = self._core, self.plan.view
        self._recent = core.assigned(self)
        view.retries.deposit()
        try:
            core.recorder.append(core.recorder.assignment(self), self._courier.send, durable=False)
        except Exception as error:  # noqa: BLE001
            self.failed_open("record", error)
            self._courier.send()

    def _choose(self, view: PolicyView) -> Plan:
        core = self._core
        try:
            who = conversation_of(
                view, self.request, self.turns, key=core.key, request_id=self.id, lineages=core.lineages
            )
            return decide(view, who, core.pins_of(view), self.at, exploring=core.recording, intent=self.intent)
        except Exception as error:  # noqa: BLE001
            self.failed_open("assignment", error)
            return Plan(view, view.production, short(self.id), 1, "fell_open")

    def _ask(self, intents: Classifier) -> str:
        try:
            return intents.classify(self.turns.text)
        except Exception as error:  # noqa: BLE001
            self.failed_open("signals", error)
            return ""

    def _route(self, arm: Open) -> None:
        try:
            now = self._core.loop.time()
            intents = self.plan.view.intents
            found = routed(arm, intents, self.body, self.request.body, self.turns, self.may_go, now)
            if found is not None:
                self._way, self.routing = found
        except Exception as error:  # noqa: BLE001
            self.failed_open("strategy", error)

    def failed_open(self, stage: Stage, error: Exception) -> None:
        """Count a swallowed fault, here and against the arm."""
        self._fell_open = True
        self._core.fall_open.count(stage, error, self.id)

    def _render_failed(self, error: Exception) -> None:
        self.failed_open("render", error)

    # -- asked by the courier ----------------------------------------------------------------------------------

    @property
    def epoch(self) -> int:
        """The number of the epoch that it began with."""
        return self._epoch.number

    def place(self, target: Target, now: float, avoid: Route | None) -> Route | None:
        """Which of the target's upstreams is to be asked; `avoid` has failed. `now` on the loop's clock."""
        if target.places is None:
            return target.route
        return target.places.pick(self.plan.unit, now, credentials=self._has_credential, avoid=avoid)

    @property
    def way(self) -> Way:
        """How the request is rendered."""
        return self._way or self.plan.arm.way(self.model)

    def may_go(self, target: Target) -> bool:
        """Whether the client's credential, if it sent one, need not go there or is meant for it."""
        return target.route is not None and target.route.may_serve(
            self._epoch.default_route, credentials=self._has_credential
        )

    def attempts(self, now: float, *, falls_back: bool = True) -> Attempts:
        """Begin to count attempts, after the first has failed."""
        view, core = self.plan.view, self._core
        rules = self.plan.arm.rules
        total = rules.timeouts.total_s or self._longest_s()
        deadline = now + total - (core.now() - self.at)
        return Attempts(rules, view.retries, legs=1 + len(self.fallbacks) if falls_back else 1, deadline=deadline)

    @property
    def fallbacks(self) -> Sequence[Way]:
        """Other models for this request, in order: those that the client's credential need not go to."""
        return [way for way in self.plan.arm.fallbacks if self.may_go(way.target)]

    @property
    def blames_upstream(self) -> bool:
        """Whether a failure counts against the upstream's health; those of a genome on trial may be its own doing."""
        return self.plan.arm.hash not in self.plan.view.subjects

    def rendered_for(self, leg: int) -> Rendered:
        """What that place is sent: 0 the request's own, then the fallbacks."""
        if not leg:
            return self.rendered
        return render_for(self.fallbacks[leg - 1], self.body, self.turns, self.request.body, self.rendered)

    def _longest_s(self) -> float:
        route = self.rendered.target.route
        return route.settings.total_timeout_s if route is not None else 0.0

    @property
    def _has_credential(self) -> bool:
        return any(name in self.request.index for name in answers.CREDENTIALS)

    def read(self, body: bytes) -> Answer | None:
        """The answer in a body; None where a fault here keeps us from reading it."""
        try:
            return self.plan.view.dialect.read_answer(body)
        except Exception as error:  # noqa: BLE001
            self.failed_open("outcome", error)
            return None

    # -- told by the courier -----------------------------------------------------------------------------------

    def sending(self) -> None:
        """An attempt goes out."""
        if not self._before_s:
            self._before_s = perf_counter() - self._began

    def arrived(self) -> None:
        """A head has come."""
        self._first_ms = (perf_counter() - self._began) * 1000.0

    def answered(self, status: int, headers: Headers, body: bytes, answer: Answer | None) -> None:
        """A whole answer."""
        self._last = status, headers, body
        self._settle(status, answer, None, self._send)

    def began(self, status: int, headers: Headers, call: Call | None) -> None:
        """A stream: its head, unless that has gone out, and the brake that a slow client pulls."""
        reply = self._reply
        if call is not None:
            reply.on_pause, reply.on_resume = call.pause, call.resume
        if not self._streams:
            self._streams = True
            reply.start(status, headers, None, self._named())
            if self.plan.arm.service is None:
                self._forget()

    def _forget(self) -> None:
        """A stream lasts, and a prompt is large: let go of its bytes, unless they may have to be sent once more."""
        arm, view = self.plan.arm, self.plan.view
        if not (arm.rules.rescue or view.shadows or self._core.observer is not None):
            self.rendered.payload = self._courier.rendered.payload = self.request.body = b""

    def hold(self, comment: bytes) -> None:
        """A stream whose answer is held back: a comment keeps the client's line alive."""
        self.began(200, answers.EVENT_STREAM, None)
        self._reply.write(comment)

    def said(self, data: bytes) -> None:
        """A piece of the stream."""
        self._reply.write(data)

    def ended(self, terminator: bytes, answer: Answer) -> None:
        """The stream is whole."""
        self._settle(self._courier.status, answer, None, lambda: self._reply.end(terminator))

    def failed(self, failure: Failure, *, repeated: bool) -> None:
        """Nothing helped: the client is told, in the shape that it expects. `repeated`: after attempts of ours."""
        if failure.reason:
            self._core.metrics.error(failure.reason)
        dialect = self.plan.view.dialect
        if self._streams:
            message = failure.message or f"the upstream answered {failure.status}"
            last = failure.last or dialect.error_event(message, failure.reason, self._courier.sequence)
            answer = failure.answer or self._courier.answer
            self._settle(self._courier.status, answer, failure.kind, lambda: self._reply.end(last))
            return
        headers, body = answers.of_failure(failure, dialect, self.id, repeated=repeated)
        self._last = failure.status, headers, body
        then = self._send if failure.body is not None else self._send_own
        self._settle(failure.status, failure.answer, failure.kind, then)

    # -- ends --------------------------------------------------------------------------------------------------

    def _gone(self) -> None:
        """The client hung up: stop paying for an answer that nobody reads."""
        if self._waits:  # nothing was sent, nothing was recorded: it never came
            self._ended = True
            self._reply.on_gone = None  # no cycle is left for the collector
            return
        courier = self._courier
        if not self._ended:
            self._settle(courier.status if self._streams else 0, courier.answer, None, None, gone=True)
        courier.give_up()

    def _settle(
        self,
        status: int,
        answer: Answer | None,
        broke: str | None,
        then: Callable[[], None] | None,
        *,
        gone: bool = False,
    ) -> None:
        """Judge, learn, record, and let the last bytes go once the record is on disk."""
        if self._ended:
            return
        self._ended = True
        core, reply = self._core, self._reply
        now = core.now()
        total_ms = self._answered_ms = (perf_counter() - self._began) * 1000.0
        done = self._judge(status, answer, broke, total_ms, gone=gone)
        if self._recent is not None:
            core.settled(self, self._recent, done, now)
        if self.routing is not None:
            self._learn(self.routing, done)
        try:
            core.recorder.append(core.recorder.outcome(self.id, now, done, bodies=self.records), then)
        except Exception as error:  # noqa: BLE001
            core.fall_open.count("record", error)
            if then is not None:
                then()
        if done.failure is not None or core.observer is not None:
            core.observed(self, self._courier, done, now)
        if self.plan.view.shadows and done.status:
            core.mirror_later(self)
        # No cycle is left for the collector, which would else cost more than all of this.
        reply.on_gone = reply.on_pause = reply.on_resume = None
        del self._courier

    def _learn(self, routing: Routing | Preferred, done: Settled) -> None:
        arm = self.plan.arm.open
        try:
            if arm is not None:
                learn(arm, routing, self._courier.rendered.target, self.plan.view.gates, done, request_id=self.id)
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("strategy", error)

    def _judge(self, status: int, answer: Answer | None, broke: str | None, total_ms: float, *, gone: bool) -> Settled:
        courier = self._courier
        try:
            return settle(
                self.plan.view,
                courier.rendered.target,
                self.body,
                status=status,
                provider_status=courier.status,
                answer=answer,
                transport_error=broke,
                first_byte_ms=self._first_ms,
                last_byte_ms=total_ms,
                client_gone=gone,
                fell_open=self._fell_open,
                fell_back=courier.fell_back,
                attempts=courier.tries,
                account=courier.account(answer),
                embedding_usd=self._embedding_usd,
            )
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("outcome", error)
            return Settled.fell_open(status, self._first_ms, total_ms)

    # -- the client's whole answer -----------------------------------------------------------------------------

    def _send(self) -> None:
        status, headers, body = self._last
        self._reply.send(status, headers, body, self._named())

    def _send_own(self) -> None:
        """One made here, which has the id already."""
        status, headers, body = self._last
        self._reply.send(status, headers, body, self._signed())

    def _named(self) -> tuple[bytes, ...]:
        """Header lines that an answer to a covered request carries."""
        return b"x-evogate-request-id: " + self.id.encode(), *self._signed()

    def _signed(self) -> tuple[bytes, ...]:
        """The same but for the id."""
        overhead = self._before_s
        if not self._streams:
            overhead += perf_counter() - self._began - self._answered_ms / 1000.0
        self._core.metrics.overhead.observe(overhead)
        return self.plan.arm.lines, b"x-evogate-overhead-ms: %.3f" % (overhead * 1000.0)
