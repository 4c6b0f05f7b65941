"""The upstreams that share one model, by weight: each unit has its own order of them, and keeps its first as it can."""

from gateway.pipeline.routes import Route
from policies.resilience import preference


class Places:
    """One model's routes. The first is the one that a client's own credential is meant for."""

    __slots__ = ("_routes", "_weights")

    def __init__(self, routes: tuple[Route, ...], weights: tuple[float, ...]) -> None:
        self._routes = routes
        self._weights = weights

    def pick(self, unit: str, now: float, *, credentials: bool, avoid: Route | None = None) -> Route:
        """The route for a unit's request: the first in its order that would admit it at once, else the first.

        Args:
            unit: what keeps its upstream from request to request.
            now: on the clock of the admissions, in seconds.
            credentials: whether the request carries the client's own credential.
            avoid: the route that has just failed it: taken only if no other is available.
        """
        meant = self._routes[0]
        order = [self._routes[at] for at in preference(self._weights, unit.encode())]
        eligible = [route for route in order if route.may_serve(meant, credentials=credentials)]
        able = [route for route in eligible if route.admission.available(now)] or eligible
        return next((route for route in able if route is not avoid), able[0])
