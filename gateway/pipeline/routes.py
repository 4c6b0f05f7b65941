"""Upstreams as routes: a pool, a path prefix and a credential. Routes outlive epochs; replaced ones drain.

A client's credential goes only to the upstream that the client's own model means; any other needs a key of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol
from urllib.parse import urlsplit

from config.settings import Upstream
from gateway.http.messages import Headers
from gateway.http.upstream import Call, Pool, Sink
from policies.errors import OperatorError

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  (compared, not bound)
_V1 = b"/v1"


class PoolLike(Protocol):
    """What a route needs of a pool."""

    def call(self, method: bytes, path: bytes, headers: Headers, body: bytes, sink: Sink) -> Call:
        """Send a request; its events go to `sink`."""

    def close(self) -> None:
        """Close every connection."""


class Route:
    """One upstream as the pipeline sees it."""

    __slots__ = ("_base", "_in_flight", "_retired", "authorization", "name", "pool", "settings")

    def __init__(self, name: str, settings: Upstream, pool: PoolLike) -> None:
        self.name = name
        self.settings = settings
        self.pool = pool
        self._base = urlsplit(settings.base_url).path.rstrip("/").encode()
        key = settings.api_key
        self.authorization = b"Bearer " + key.get_secret_value().encode() if key is not None else None
        self._in_flight = 0
        self._retired = False

    def path(self, target: bytes) -> bytes:
        """The provider's path of a client's target: `/v1` stands for the base URL's own path."""
        if target.startswith(_V1) and target[3:4] in (b"/", b"?", b""):
            return (self._base + target[3:]) or b"/"
        return target

    def call(self, method: bytes, path: bytes, headers: Headers, body: bytes, sink: Sink) -> Call:
        """Send a request; `done` must follow once its sink has had its last event."""
        self._in_flight += 1
        try:
            return self.pool.call(method, path, headers, body, sink)
        except BaseException:
            self.done()
            raise

    def done(self) -> None:
        """One call has ended; the last one of a replaced route closes its pool."""
        self._in_flight -= 1
        if self._retired and self._in_flight <= 0:
            self.pool.close()

    def retire(self) -> None:
        """Take no new epoch; close as soon as nothing is in flight."""
        self._retired = True
        if self._in_flight <= 0:
            self.pool.close()


class Routes:
    """The routes in force. `update` keeps those whose settings did not change."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        make_pool: Callable[[Upstream, asyncio.AbstractEventLoop], PoolLike] = Pool,
    ) -> None:
        self._loop = loop
        self._make_pool = make_pool
        self._routes: dict[str, Route] = {}

    @property
    def all(self) -> Mapping[str, Route]:
        """By name, in the configuration's order; the first is the default."""
        return self._routes

    def update(self, upstreams: Mapping[str, Upstream]) -> list[Route]:
        """Bring the routes in line with the settings; returns the replaced ones, to be retired after the swap."""
        fresh: dict[str, Route] = {}
        for name, settings in upstreams.items():
            old = self._routes.get(name)
            same = old is not None and old.settings == settings
            fresh[name] = (
                old if same and old is not None else Route(name, settings, self._make_pool(settings, self._loop))
            )
        replaced = [route for name, route in self._routes.items() if fresh.get(name) is not route]
        self._routes = fresh
        return replaced

    def restore(self, before: Mapping[str, Route]) -> None:
        """Take an `update` back."""
        for name, route in self._routes.items():
            if before.get(name) is not route:
                route.retire()
        self._routes = dict(before)

    def close(self) -> None:
        """Close every pool at once."""
        for route in self._routes.values():
            route.pool.close()


def refuse_self(upstreams: Mapping[str, Upstream], host: str, port: int) -> None:
    """Check that no upstream is this very listener.

    Raises:
        OperatorError: one is; requests would go round in a circle.
    """
    for name, upstream in upstreams.items():
        parts = urlsplit(upstream.base_url)
        there = parts.port or (443 if parts.scheme == "https" else 80)
        same_host = parts.hostname == host or (parts.hostname in _LOCAL and host in _LOCAL)
        if there == port and same_host:
            raise OperatorError(
                f"upstreams.{name}.base_url {upstream.base_url} is this gateway's own listener ({host}:{port}); "
                "name the provider's address there"
            )
