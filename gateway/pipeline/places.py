"""The upstreams that share one model, by weight: each unit has its own order of them, and keeps its first as it can."""

from collections.abc import Callable

from gateway.pipeline.routes import Route
from policies.resilience import preference


class Places:
    """One model's routes. The first is the one that a client's own credential is meant for."""

    __slots__ = ("_routes", "_weights")

    def __init__(self, routes: tuple[Route, ...], weights: tuple[float, ...]) -> None:
        self._routes = routes
        self._weights = weights

    def over(self, view: Callable[[Route], Route]) -> "Places":
        """The same places, seen through views of their routes."""
        return Places(tuple(view(route) for route in self._routes), self._weights)

    def pick(self, unit: str, now: float, *, credentials: bool, avoid: Route | None = None) -> Route:
        """The route for a unit's request: the first in its order that would admit it at once, else the first named.

        Args:
            unit: what keeps its upstream from request to request.
            now: on the clock of the admissions, in seconds.
            credentials: whether the request carries the client's own credential.
            avoid: the route that has just failed it: taken only if no other is available.
        """
        meant, order = self._routes[0], preference(self._weights, unit.encode())
        spare: Route | None = None
        for at in order:
            route = self._routes[at]
            if not route.may_serve(meant, credentials=credentials):
                continue
            if route.admission.available(now):
                if route is not avoid:
                    return route
                spare = route
        return spare or meant
