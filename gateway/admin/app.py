"""The admin listener: `/metrics`, `/admin/status`, `/admin/arms`, `/admin/reload`.

1. A request whose `Host` is not the listener's is refused (DNS rebinding), and so is one with a foreign `Origin`.
2. A listener that is not on loopback asks everybody for the token.
3. It is served by the data plane's own HTTP: what scrapes it is parsed as strictly, and no other server is loaded.
"""

import asyncio
import hmac
import ipaddress
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import orjson

from gateway.admin.exposition import CONTENT_TYPE, exposition
from gateway.admin.families import Family
from gateway.admin.page import Page
from gateway.http.messages import Reply, Request
from policies.errors import OperatorError

log = logging.getLogger("evogate.admin")

JSON = "application/json"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a listener on `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Source(Protocol):
    """The gateway as the admin listener sees it: one worker, or all of them."""

    async def families(self) -> list[Family]:
        """What `/metrics` shows."""

    async def status(self) -> dict[str, Any]:
        """What `/admin/status` shows."""

    async def arms(self) -> list[dict[str, Any]]:
        """What `/admin/arms` shows."""

    async def reload(self) -> dict[str, Any]:
        """Read the configuration again and take it over; facts about the epoch that came of it.

        Raises:
            OperatorError: it is not in force.
        """


class Answer(NamedTuple):
    """What goes back."""

    status: int
    body: bytes
    content_type: str = JSON
    allow: str = ""  # the methods that would do, where the one that came does not

    def to(self, reply: Reply) -> None:
        """Send it."""
        headers = [(b"content-type", self.content_type.encode())]
        if self.allow:
            headers.append((b"allow", self.allow.encode()))
        reply.send(self.status, headers, self.body)


class Admin:
    """Called on the loop for each request. Needs a running loop.

    Raises:
        OperatorError: the listener is not on loopback, and there is no token.
    """

    def __init__(self, source: Source, *, host: str, token: str | None) -> None:
        if token is None and not is_loopback(host):
            raise OperatorError(f"gateway.admin_host {host} is not loopback: set gateway.admin_token, or use 127.0.0.1")
        self._source = source
        self._known = _LOCAL_NAMES | {host}
        self._token = token
        self._pages = {path: Page(make) for path, make in _makers(source).items()}
        self._answering: set[asyncio.Task[None]] = set()

    def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request, or see to it that it will be answered."""
        refused = self._refused(request)
        if refused is not None:
            refused.to(reply)
            return
        task = asyncio.get_running_loop().create_task(self._answer(request, reply))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    def close(self) -> None:
        """Leave what is still being answered."""
        for task in self._answering:
            task.cancel()

    def _refused(self, request: Request) -> Answer | None:
        if self._token is None:
            return None if self._is_local(request) else _error(403, "this listener serves its own machine only")
        sent = request.index.get(b"authorization", b"").removeprefix(b"Bearer ")
        if hmac.compare_digest(sent, self._token.encode()):
            return None
        return _error(401, "send the admin token: Authorization: Bearer ...")

    def _is_local(self, request: Request) -> bool:
        host, origin = (request.index.get(name, b"").decode("latin-1") for name in (b"host", b"origin"))
        return _name(f"//{host}") in self._known and (not origin or _name(origin) in self._known)

    async def _answer(self, request: Request, reply: Reply) -> None:
        try:
            found = await self._found(request.path, request.method)
        except Exception:
            log.exception("%s can't be shown", request.path.decode("latin-1"))
            found = _error(500, "this can't be shown; the gateway's log says why")
        found.to(reply)

    async def _found(self, path: bytes, method: bytes) -> Answer:
        page = self._pages.get(path)
        if page is not None:
            if method not in {b"GET", b"HEAD"}:
                return _error(405, "this is read with GET", allow="GET, HEAD")
            return Answer(200, await page(), CONTENT_TYPE if path == b"/metrics" else JSON)
        if path != b"/admin/reload":
            return _error(404, f"there are {', '.join(name.decode() for name in self._pages)}, /admin/reload")
        return await self._reload() if method == b"POST" else _error(405, "a reload is asked for by POST", allow="POST")

    async def _reload(self) -> Answer:
        try:
            facts = await self._source.reload()
        except OperatorError as error:
            return Answer(422, _bytes({"reloaded": False, "error": str(error)}))
        finally:
            for page in self._pages.values():
                page.forget()
        return Answer(200, _bytes({"reloaded": True, **facts}))


def _makers(source: Source) -> dict[bytes, Callable[[], Awaitable[bytes]]]:
    async def metrics() -> bytes:
        return exposition(await source.families())

    async def status() -> bytes:
        return _bytes(await source.status())

    async def arms() -> bytes:
        return _bytes({"arms": await source.arms()})

    return {b"/metrics": metrics, b"/admin/status": status, b"/admin/arms": arms}


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets that enclose no address
        return ""


def _error(status: int, message: str, *, allow: str = "") -> Answer:
    return Answer(status, _bytes({"error": message}), allow=allow)


def _bytes(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
