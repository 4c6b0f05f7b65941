"""Channels: how many calls of one policy may be with one model at a time, where a genome limits them.

1. A channel stands before its upstream's own admission: who is let in by it asks there next, and holds its slot
   meanwhile.
2. What waits hears once, never inside `admit`, unless it leaves first; it waits no longer than the upstream lets wait.
3. Without such a gene there is no channel: the path knows nothing of them.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from gateway.http.upstream import Call
from gateway.pipeline.admission import Admission, Refused, Waiter
from gateway.pipeline.epoch import Target
from gateway.pipeline.routes import Route
from policies.resilience import Full, Limiter, Permit, Queued, Trouble


class Turn:
    """One that a channel has let in, and that waits for the upstream itself."""

    __slots__ = ("_lane", "_waiter")

    def __init__(self, lane: "Lane", waiter: Waiter) -> None:
        self._lane = lane
        self._waiter = waiter

    def on_admitted(self, permit: Permit) -> None:
        """Go."""
        self._lane.turns.pop(self._waiter, None)
        self._waiter.on_admitted(permit)

    def on_refused(self, refused: Refused) -> None:
        """It does not come; the slot is the next one's."""
        self._lane.turns.pop(self._waiter, None)
        self._lane.free(asyncio.get_running_loop().time())
        self._waiter.on_refused(refused)


class Lane(Admission):
    """The admission of one upstream, behind a limit of one policy and model."""

    __slots__ = ("_behind", "turns")

    def __init__(self, route: Route, limit: int) -> None:
        settings = route.settings
        super().__init__(route.name, settings, lambda: 0.0)
        self._behind = route.admission
        self.health = route.admission.health
        self._limiter = Limiter(limit, settings.queue, settings.queue_timeout_s)
        self.turns: dict[Waiter, Turn] = {}

    @property
    def _slots(self) -> Limiter[Waiter]:
        assert self._limiter is not None
        return self._limiter

    @property
    def in_use(self) -> int:
        """How many calls have a slot."""
        return self._slots.in_use

    def available(self, now: float) -> bool:
        """Whether a request would be admitted at once."""
        return self._slots.free and self._behind.available(now)

    def admit(self, now: float, waiter: Waiter) -> Permit | Refused | None:
        """As `Admission.admit`."""
        placed = self._slots.admit(waiter, now)
        if isinstance(placed, Full):
            return self._refused("channel_full", placed.retry_after_s)
        if isinstance(placed, Queued):
            self._wake_at(placed.until, now)
            return None
        found = self._enter(now, waiter)
        if isinstance(found, Refused):
            self.free(now)
        return found

    def leave(self, waiter: Waiter) -> None:
        """It waits no longer: its client hung up."""
        turn = self.turns.pop(waiter, None)
        if turn is None:
            self._slots.leave(waiter)
        else:
            self._behind.leave(turn)
            self.free(asyncio.get_running_loop().time())

    def finish(self, permit: Permit, trouble: Trouble | None, now: float) -> None:
        """The call is over."""
        self._behind.finish(permit, trouble, now)
        self.free(now)

    def free(self, now: float) -> None:
        """A slot passes to the first in the queue that the upstream does not refuse."""
        while (waiter := self._slots.release()) is not None:
            found = self._enter(now, waiter)
            if not isinstance(found, Refused):
                if found is not None:
                    waiter.on_admitted(found)
                return
            waiter.on_refused(found)

    def _enter(self, now: float, waiter: Waiter) -> Permit | Refused | None:
        turn = Turn(self, waiter)
        found = self._behind.admit(now, turn)
        if found is None:
            self.turns[waiter] = turn
        return found

    def _expire(self, now: float) -> None:
        self._timer = None
        for waiter in self._slots.expire(now):
            waiter.on_refused(self._refused("channel_full", self._slots.timeout_s))
        if self._slots.due is not None:
            self._wake_at(self._slots.due, now)


class Channel(Route):
    """A view of a route: its pool, its address and its key, behind a lane."""

    __slots__ = ("_route", "lane")

    def __init__(self, route: Route, limit: int) -> None:
        self._route = route
        self.name, self.settings, self.pool = route.name, route.settings, route.pool
        self.address, self.path = route.address, route.path
        self.credential, self.authorization = route.credential, route.authorization
        self.admission = self.lane = Lane(route, limit)

    def may_serve(self, meant: Route | None, *, credentials: bool) -> bool:
        """As the route."""
        return self is meant or self._route.may_serve(meant, credentials=credentials)

    def call(self, *args: Any, **kwargs: Any) -> Call:
        """Send a request; it counts as the route's own, which stays open for it."""
        return self._route.call(*args, **kwargs)

    def done(self) -> None:
        """One call has ended."""
        self._route.done()


class Channels:
    """Those of one worker: an epoch finds the ones of the epoch before it, with what they have in flight."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str, int, Route], Channel] = {}

    def of(self, policy: str, target: Target, limit: int) -> Target:
        """The target behind the channel of that policy and model; the target itself where it has no upstream."""
        if target.route is None:
            return target
        model = target.model.key if target.model is not None else ""

        def view(route: Route) -> Channel:
            key = policy, model, limit, route
            return self._known.get(key) or self._known.setdefault(key, Channel(route, limit))

        places = target.places.over(view) if target.places is not None else None
        return replace(target, route=view(target.route), places=places)

    def keep(self, policies: Iterable[str], routes: Iterable[Route]) -> None:
        """Forget those of policies and upstreams that are no more, but none that has calls in flight."""
        names, there = set(policies), set(routes)
        self._known = {
            key: found
            for key, found in self._known.items()
            if (key[0] in names and key[3] in there) or found.lane.in_use
        }
