"""Telemetry's side of the request path: contexts for what goes up, and a bounded queue of what has ended."""

from collections import deque
from collections.abc import Callable
from random import SystemRandom
from typing import TYPE_CHECKING

from gateway.http.framing import block
from gateway.http.messages import Request
from gateway.pipeline.headers import upward
from gateway.telemetry.context import HEADER, STATE, Context, child_of
from gateway.telemetry.ended import PAYLOAD_BYTES, Ended

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange
    from gateway.pipeline.receiver import Receiver, Server
    from gateway.pipeline.routes import Route
    from gateway.pipeline.settle import Settled

MOST_WAITING = 8192

Noted = tuple[Context, "Route"]  # on the exchange: where its call stands, and whom it went to last


class Watching:
    """An Observer. The queue is taken from by another thread, which `deque` allows without a lock.

    Args:
        sample: the share of traces that begin here to be sent; metrics count all.
        bits: a uniform number of that many bits.
    """

    def __init__(self, sample: float, bits: Callable[[int], int] | None = None) -> None:
        self.queue: deque[Ended] = deque()
        self.dropped = 0  # for want of room
        self.refused = 0  # by the collector; the sender counts
        self._sample = sample
        self._bits = bits or SystemRandom().getrandbits

    def block(self, exchange: "Receiver", route: "Route") -> bytes:
        """The header fields to send up; all attempts of a request are one call to those who trace it."""
        before: Noted | None = exchange.trace
        context = before[0] if before else child_of(exchange.request.get(HEADER), self._sample, self._bits)
        exchange.trace = (context, route)
        return _fields(exchange.request, route, keep_state=context.parent is not None) + context.line

    def ended(self, exchange: "Exchange", courier: "Server", done: "Settled", now: float) -> None:
        """Leave it for the thread, or drop it where that one does not keep up. What was never sent is no call."""
        noted: Noted | None = exchange.trace
        if noted is None:
            return
        if len(self.queue) >= MOST_WAITING:
            self.dropped += 1
            return
        context, route = noted
        plan, rendered, answer = exchange.plan, courier.rendered, done.answer
        target = rendered.target.model
        counted = answer is not None and answer.has_usage
        self.queue.append(
            Ended(
                context=context,
                request_id=exchange.id,
                policy=plan.view.name,
                genome=plan.arm.hash,
                version=plan.arm.version,
                unit=plan.unit,
                path=exchange.path,
                kind=route.settings.kind,
                base_url=route.settings.base_url,
                model=target.model if target is not None else exchange.model,
                payload=rendered.payload if len(rendered.payload) <= PAYLOAD_BYTES else b"",
                response_id=answer.id if answer is not None else "",
                response_model=answer.model if answer is not None else "",
                finish_reason=answer.finish_reason if answer is not None else None,
                tokens=(answer.input_tokens, answer.output_tokens) if answer is not None and counted else None,
                failure=done.failure,
                began=exchange.at,
                ended=now,
            )
        )


def _fields(request: Request, route: "Route", *, keep_state: bool) -> bytes:
    """Those of `block_for` without the client's own context; made once for all requests of the same head."""
    key = (route, "traced")
    found: bytes | None = request.memo.get(key)
    if found is None:
        gone = {HEADER} if keep_state else {HEADER, STATE}
        fields = upward(request.headers, route.credential, route.address.version, readable=True)
        found = request.memo[key] = block([pair for pair in fields if pair[0].lower() not in gone])
    return found
