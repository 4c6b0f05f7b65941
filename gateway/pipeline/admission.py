"""Who may call an upstream now: its health and its limit together, and the timer of its queue.

1. What is admitted is finished exactly once, with what came of it; that is when the next in the queue gets its turn.
2. Who waits hears `on_admitted` or `on_refused` once, never inside `admit`, unless it leaves first.
3. An upstream without a limit costs two comparisons.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from config.upstreams import Upstream
from policies.resilience import Counts, Full, Health, Limiter, Permit, Queued, Trouble, Unwell, row_of

Reason = Literal["upstream_unhealthy", "upstream_paused", "upstream_full", "channel_full"]

# A pause is the provider's own 429, passed on without asking it again; the rest is 503 (RFC 9110, 15.6.4).
_STATUS: Final[dict[Reason, int]] = {
    "upstream_unhealthy": 503,
    "upstream_paused": 429,
    "upstream_full": 503,
    "channel_full": 503,
}
_MESSAGE: Final[dict[Reason, str]] = {
    "upstream_unhealthy": "upstream {} fails and is left alone for a moment",
    "upstream_paused": "upstream {} has asked to be left alone for a while (429)",
    "upstream_full": "upstream {} has as many requests as its max_concurrency and queue allow",
    "channel_full": "upstream {} has as many requests of this policy and model as max_in_flight and queue allow",
}


@dataclass(frozen=True, slots=True)
class Refused:
    """Not now: why, for metrics and `x-evogate-error`, and when to come again in seconds."""

    reason: Reason
    message: str
    retry_after_s: float

    @property
    def status(self) -> int:
        """Of the answer, where nothing else can serve."""
        return _STATUS[self.reason]


class Waiter(Protocol):
    """Who stands in the queue. Called on the loop."""

    def on_admitted(self, permit: Permit) -> None:
        """Its turn has come."""

    def on_refused(self, refused: Refused) -> None:
        """It does not come."""


class Admission:
    """One upstream's. `now` is the time of one clock in seconds, whichever, that does not step back."""

    __slots__ = ("_limiter", "_loop", "_name", "_timer", "health")

    def __init__(
        self, name: str, settings: Upstream, rng: Callable[[], float], loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._name = name
        self._loop = loop  # None: the running one, asked for when somebody waits
        self._timer: asyncio.TimerHandle | None = None
        self.health = Health(settings.health, rng, own_key=settings.api_key is not None)
        limit = settings.max_concurrency
        self._limiter: Limiter[Waiter] | None = (
            Limiter(limit, settings.queue, settings.queue_timeout_s) if limit is not None else None
        )

    def available(self, now: float) -> bool:
        """Whether a request would be admitted at once."""
        return (self._limiter is None or self._limiter.free) and self.health.available(now)

    @property
    def waiting(self) -> int:
        """How many stand in the queue."""
        return self._limiter.waiting if self._limiter is not None else 0

    def admit(self, now: float, waiter: Waiter) -> Permit | Refused | None:
        """Leave to call, followed by `finish`; or why not; or None: the waiter will hear."""
        limiter = self._limiter
        if limiter is None:
            permit = self.health.admit(now)
            return permit if type(permit) is Permit else self._unwell(permit)
        return self._admit_within(limiter, now, waiter)

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer: its client hung up."""
        if self._limiter is not None:
            self._limiter.leave(waiter)

    def finish(self, permit: Permit, trouble: Trouble | None, now: float) -> None:
        """The call is over: None for a good answer (a client's own fault is one, too: the table knows)."""
        if trouble is None:
            self.health.ended(permit, Counts.GOOD, now)
        else:
            self.health.ended(permit, row_of(trouble).counts, now, trouble.retry_after_s)
        if self._limiter is not None:
            self._hand_over(self._limiter, now)

    # Inside

    def _admit_within(self, limiter: Limiter[Waiter], now: float, waiter: Waiter) -> Permit | Refused | None:
        if limiter.free or not self.health.available(now):
            permit = self.health.admit(now)
            if type(permit) is not Permit:
                return self._unwell(permit)
            limiter.admit(waiter, now)
            return permit
        placed = limiter.admit(waiter, now)
        if isinstance(placed, Full):
            return self._refused("upstream_full", placed.retry_after_s)
        if isinstance(placed, Queued):
            self._wake_at(placed.until, now)
        return None

    def _hand_over(self, limiter: Limiter[Waiter], now: float) -> None:
        """The slot passes to the first in the queue; where the upstream has become unwell, the queue is sent away."""
        while (waiter := limiter.release()) is not None:
            permit = self.health.admit(now)
            if type(permit) is Permit:
                waiter.on_admitted(permit)
                return
            waiter.on_refused(self._unwell(permit))

    def _wake_at(self, until: float, now: float) -> None:
        """Unless a timer runs: it is the earlier one."""
        if self._timer is None:
            loop = self._loop or asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, until - now), self._expire, until)

    def _expire(self, now: float) -> None:
        """`now` is the time that the timer was set for, on the clock of `admit`."""
        self._timer = None
        limiter = self._limiter
        assert limiter is not None
        for waiter in limiter.expire(now):
            waiter.on_refused(self._refused("upstream_full", limiter.timeout_s))
        if limiter.due is not None:
            self._wake_at(limiter.due, now)

    def _unwell(self, unwell: Permit | Unwell) -> Refused:
        assert isinstance(unwell, Unwell)
        return self._refused("upstream_paused" if unwell.paused else "upstream_unhealthy", unwell.retry_after_s)

    def _refused(self, reason: Reason, retry_after_s: float) -> Refused:
        return Refused(reason, _MESSAGE[reason].format(self._name), retry_after_s)
