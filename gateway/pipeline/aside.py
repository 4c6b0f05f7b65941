"""A route past its admission: for calls that must not take a client's place."""

from typing import Any, Final

from config.upstreams import Upstream
from gateway.http.upstream import Call
from gateway.pipeline.admission import Admission, Refused, Waiter
from gateway.pipeline.routes import Route
from policies.resilience import Permit, Trouble

_LEAVE: Final = Permit(probe=False)


class _Open(Admission):
    """Lets everybody in, and learns nothing."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("aside", Upstream(base_url="http://127.0.0.1"), lambda: 0.0)

    def admit(self, now: float, waiter: Waiter) -> Permit | Refused | None:  # noqa: ARG002
        """Go."""
        return _LEAVE

    def finish(self, permit: Permit, trouble: Trouble | None, now: float) -> None:
        """Nobody asks."""


_OPEN: Final = _Open()


class Aside(Route):
    """A view of a route: its pool, its address and its key."""

    __slots__ = ("_route",)

    def __init__(self, route: Route) -> None:
        self._route = route
        self.name, self.settings, self.pool = route.name, route.settings, route.pool
        self.address, self.path = route.address, route.path
        self.credential, self.authorization = route.credential, route.authorization
        self.admission = _OPEN

    def call(self, *args: Any, **kwargs: Any) -> Call:
        """Send a request; it counts as the route's own, which stays open for it."""
        return self._route.call(*args, **kwargs)

    def done(self) -> None:
        """One call has ended."""
        self._route.done()
