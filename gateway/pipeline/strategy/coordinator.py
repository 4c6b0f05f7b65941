"""Serves one exchange by several calls: carries out what its tactic decides, and presents one result.

1. Steps are carried out, and ends of calls heard, one after the other, however they come about.
2. While an answer is held back, a client that streams gets comments, which keep its line alive.
3. When the client has its answer, or has gone, every other call ends at once. What it all cost is on the account.
4. A fault here falls back to the plain way: the request's own call, straight to the exchange.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gateway.pipeline.core import Core
from gateway.pipeline.courier import Courier
from gateway.pipeline.epoch import Service
from gateway.pipeline.receiver import Server
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.strategy.leg import Leg, plain_entry
from gateway.pipeline.strategy.requests import Requests
from policies.errors import ClientError
from policies.outcome import Answer
from policies.strategy.account import Account
from policies.strategy.choice import compared, kind_of, tactic_of
from policies.strategy.tactic import Ask, Heard, Present, Step, Wait
from policies.vectors import Vector

if TYPE_CHECKING:
    from gateway.pipeline.strategy.owner import Owner

_COMMENT = b": keep-alive\n\n"  # WHATWG HTML, 9.2.7: a line that begins with a colon is ignored


def server_for(core: Core, exchange: "Owner", rendered: Rendered, service: Service) -> Server:
    """Who serves a request of an arm that has a strategy. A stream is not held back for the sake of repairs alone."""
    streams = exchange.body.get("stream") is True
    if streams and kind_of(service.genes) == "repairs":
        return Courier(core, exchange, rendered)
    return Coordinator(core, exchange, rendered, service, streams=streams)


class Coordinator:
    """One request's."""

    def __init__(self, core: Core, exchange: "Owner", rendered: Rendered, service: Service, *, streams: bool) -> None:
        self._core = core
        self._exchange = exchange
        self._first = rendered
        self._service = service
        self._streams = streams
        self._meant = compared(service.genes) if service.genes.agreement == "embedding" else frozenset()
        self._tactic = tactic_of(service.genes, streams=streams)
        self._legs: dict[int, Leg] = {}
        self._shown: Leg | None = None
        self._plain: Courier | None = None  # in place of it all, after a fault
        self._todo: deque[Step | Leg] = deque()
        self._embedding_usd = 0.0
        self._busy = self._over = self._broken = False
        self._timers: list[asyncio.TimerHandle] = []
        self._comments: asyncio.TimerHandle | None = None
        self._requests = Requests(exchange, rendered, service)

    # -- asked by the exchange ---------------------------------------------------------------------------------

    @property
    def _courier(self) -> Courier | None:
        return self._plain or (self._shown.courier if self._shown is not None else None)

    @property
    def rendered(self) -> Rendered:
        """What the shown call sent."""
        return self._courier.rendered if self._courier is not None else self._first

    @property
    def status(self) -> int:
        """Of the upstream whose answer is shown."""
        return self._courier.status if self._courier is not None else 0

    @property
    def fell_back(self) -> bool:
        """Whether the shown answer is a fallback's."""
        return self._courier is not None and self._courier.fell_back

    @property
    def answer(self) -> Answer | None:
        """What has come of a stream that is shown."""
        return self._courier.answer if self._courier is not None else None

    @property
    def sequence(self) -> int:
        """The number of that stream's next event."""
        return self._courier.sequence if self._courier is not None else 0

    @property
    def tries(self) -> int:
        """Attempts of all calls."""
        return sum(leg.courier.tries for leg in self._legs.values()) + (self._plain.tries if self._plain else 0)

    def account(self, answer: Answer | None) -> Account:
        """What it has come to with that answer."""
        account = Account(kind_of(self._service.genes), dict(self._tactic.scores), embedding_usd=self._embedding_usd)
        for leg in self._legs.values():
            account.add(leg.entry(answer, shown=leg is self._shown and self._plain is None), leg.repairs)
        if self._plain is not None:
            account.add(plain_entry(self._plain, answer), 0)
        return account

    def send(self) -> None:
        """Begin."""
        if self._streams:
            self._comment_later()
        self._guarded(self._begin)

    def give_up(self) -> None:
        """The client has gone."""
        self._end()
        if self._plain is not None:
            self._plain.give_up()

    # -- told by the calls -------------------------------------------------------------------------------------

    def came(self, leg: Leg) -> None:
        """A call is over."""
        if self._broken and leg is self._shown:
            leg.conclude()
        elif not self._over:
            self._todo.append(leg)
            self._guarded(self._go)

    # -- steps -------------------------------------------------------------------------------------------------

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001
            self._fall_open(error)

    def _begin(self) -> None:
        self._todo.extend(self._tactic.begin())
        self._go()

    def _late(self) -> None:
        self._todo.extend(self._tactic.late())
        self._go()

    def _go(self) -> None:
        if self._busy:
            return
        self._busy = True
        try:
            while self._todo and not self._over:
                self._turn(self._todo.popleft())
        finally:
            self._busy = False

    def _turn(self, item: Step | Leg) -> None:
        if isinstance(item, Ask):
            self._ask(item)
        elif isinstance(item, Present):
            self._present(self._legs[item.number])
        elif isinstance(item, Wait):
            self._timers.append(self._core.loop.call_later(item.seconds, self._guarded, self._late))
        else:
            self._heard(item)

    def _ask(self, ask: Ask) -> None:
        about = self._legs[ask.about] if ask.about is not None else None
        try:
            body, rendered = self._requests.of(ask, about)
        except ClientError:  # this one can't be asked so: the same as a call that failed
            self._todo.extendleft(reversed(self._tactic.heard(Heard(ask.number, None))))
            return
        leg = self._legs[ask.number] = Leg(self._core, self._exchange, self, ask, rendered, body)
        leg.courier.send()

    def _heard(self, leg: Leg) -> None:
        if leg.failure is None and leg.ask.role != "verifier":
            leg.check(repairs=self._service.genes.repairs != "off")
        answer = leg.answer if leg.failure is None else None
        if answer is not None and leg.valid and leg.ask.role in self._meant and not answer.tool_calls:
            self._core.embedder.ask(answer.text, "agreement", partial(self._embedded, leg))
        else:
            self._tell(leg, answer, None)

    def _embedded(self, leg: Leg, vector: Vector | None, usd: float) -> None:
        self._embedding_usd += usd
        if not self._over:
            self._guarded(lambda: self._tell(leg, leg.answer, vector))
            self._guarded(self._go)

    def _tell(self, leg: Leg, answer: Answer | None, vector: Vector | None) -> None:
        steps = self._tactic.heard(Heard(leg.ask.number, answer, leg.valid, vector))
        replaced = any(isinstance(step, Present) for step in steps)
        if leg is self._shown and (leg.streams or not replaced):
            self._conclude(leg)
        else:
            self._todo.extendleft(reversed(steps))

    def _present(self, leg: Leg) -> None:
        self._shown = leg
        if leg.streams or leg.over:
            self._exchange.arrived()
        leg.show()
        if leg.over and leg not in self._todo:
            self._conclude(leg)

    # -- ends --------------------------------------------------------------------------------------------------

    def _conclude(self, leg: Leg) -> None:
        self._end()
        leg.conclude()
        self._legs.clear()  # no cycle is left for the collector

    def _end(self, but: Leg | None = None) -> None:
        """Nothing more is asked for, nothing more is waited for."""
        self._over = True
        for timer in self._timers:
            timer.cancel()
        if self._comments is not None:
            self._comments.cancel()
        for leg in self._legs.values():
            if not leg.over and leg is not but:
                leg.courier.give_up()

    def _fall_open(self, error: Exception) -> None:
        self._exchange.failed_open("strategy", error)
        if self._over:
            return
        shown = self._shown if self._shown is not None and self._shown.streams else None
        self._end(but=shown)
        if shown is None:
            self._plain = Courier(self._core, self._exchange, self._first)
            self._plain.send()
        elif shown.over:
            shown.conclude()
        else:
            self._broken = True

    # -- comments ----------------------------------------------------------------------------------------------

    def _comment_later(self) -> None:
        self._comments = self._core.loop.call_later(self._service.comment_every_s, self._comment)

    def _comment(self) -> None:
        if self._shown is None or not self._shown.streams:
            self._exchange.hold(_COMMENT)
            self._comment_later()
