"""Upstreams as routes: a pool, an address, a credential and an admission. Routes outlive epochs; replaced ones drain.

A client's credential goes only to the upstream that the client's own model means; any other needs a key of its own.
"""

import asyncio
from collections.abc import Callable, Mapping
from random import SystemRandom
from typing import Final, Protocol
from urllib.parse import urlsplit

from config.upstreams import Upstream
from gateway.http.messages import Headers
from gateway.http.upstream import Body, Call, Pool, Sink, UpgradeSink
from gateway.pipeline.admission import Admission
from policies.errors import OperatorError
from policies.kinds import Address
from policies.resilience import Permit, TimeoutRules, Trouble

_uniform = SystemRandom().random  # jitter of back-offs
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104  (compared, not bound)


class PoolLike(Protocol):
    """What a route needs of a pool."""

    def call(  # noqa: PLR0917 - on the path of every request
        self,
        method: bytes,
        path: bytes,
        headers: Headers | bytes,
        body: Body,
        sink: Sink,
        timeouts: TimeoutRules | None = None,
    ) -> Call:
        """Send a request; its events go to `sink`. `timeouts` come before the upstream's own."""

    def upgrade(self, path: bytes, headers: Headers | bytes, protocol: bytes, sink: UpgradeSink) -> Call:
        """Ask for another protocol."""

    def close(self) -> None:
        """Close every connection."""


class Route:
    """One upstream as the pipeline sees it."""

    __slots__ = (
        "_in_flight", "_retired", "address", "admission", "authorization", "credential", "name", "path", "pool",
        "settings",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        settings: Upstream,
        pool: PoolLike,
        rng: Callable[[], float] = _uniform,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self.pool = pool
        key = settings.api_key.get_secret_value() if settings.api_key is not None else None
        self.address = Address(settings.kind, settings.base_url, key, settings.api_version)
        self.path = self.address.path
        self.credential = self.address.credential
        self.authorization = b"Bearer " + key.encode() if key is not None else None
        self.admission = Admission(name, settings, rng, loop)
        self._in_flight = 0
        self._retired = False

    def may_serve(self, meant: "Route | None", *, credentials: bool) -> bool:
        """Whether a request may come here instead of to the upstream it was meant for.

        Args:
            meant: the upstream that the client's credential is for.
            credentials: whether the request carries any.
        """
        return self is meant or self.credential is not None or not credentials

    def call(  # noqa: PLR0917 - on the path of every request
        self,
        method: bytes,
        path: bytes,
        headers: Headers | bytes,
        body: Body,
        sink: Sink,
        timeouts: TimeoutRules | None = None,
    ) -> Call:
        """Send a request; `done` must follow once its sink has had its last event."""
        self._in_flight += 1
        try:
            return self.pool.call(method, path, headers, body, sink, timeouts)
        except BaseException:
            self.done()
            raise

    def upgrade(self, path: bytes, headers: Headers | bytes, protocol: bytes, sink: UpgradeSink) -> Call:
        """Ask for another protocol; `done` must follow as for `call`."""
        self._in_flight += 1
        try:
            return self.pool.upgrade(path, headers, protocol, sink)
        except BaseException:
            self.done()
            raise

    def finish(self, permit: Permit, trouble: Trouble | None, now: float) -> None:
        """`done`, for a call that `admission` has let in: what came of it counts, and the next in the queue goes."""
        self.admission.finish(permit, trouble, now)
        self.done()

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return self._in_flight

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
            fresh[name] = old if same and old is not None else self._new(name, settings)
        replaced = [route for name, route in self._routes.items() if fresh.get(name) is not route]
        self._routes = fresh
        return replaced

    def _new(self, name: str, settings: Upstream) -> Route:
        return Route(name, settings, self._make_pool(settings, self._loop), loop=self._loop)

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
