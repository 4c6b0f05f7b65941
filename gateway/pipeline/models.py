"""`GET /v1/models`: the provider's list, and the policies, which may be asked for as models."""

from collections.abc import Iterable

import orjson

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers, Reply, Request
from gateway.http.upstream import Call
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import block_for
from gateway.pipeline.routes import Route
from gateway.pipeline.uncovered import Uncovered
from policies.resilience import Trouble


class ModelList(Uncovered):
    """A sink that reads the provider's list and adds to it. A list that it can't read passes unchanged."""

    __slots__ = ("_chunks", "_headers", "_names")

    def __init__(
        self, core: Core, route: Route, request: Request, reply: Reply, request_id: str, *, names: Iterable[str]
    ) -> None:
        super().__init__(core, route, request, reply, request_id)
        self._names = list(names)
        self._chunks: list[bytes] = []
        self._headers: Headers = []

    def _send(self) -> Call:
        request, route = self._request, self._route
        headers = block_for(request, route, readable=True)
        return route.call(request.method, route.path(request.target), headers, request.body, self)

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._judge(status, headers)
        self._headers = headers

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        self._release(self._trouble)
        body = b"".join(self._chunks)
        listed = extended(body, self._names) if self._status == 200 else body
        self._reply.send(self._status, self._headers, listed, self._named())

    def on_error(self, error: UpstreamError) -> None:
        """There is none."""
        self._release(Trouble(error.kind, self._status))
        self._told(Failure.of(error))


def extended(body: bytes, names: list[str]) -> bytes:
    """The list with the policies at its end; any other body unchanged."""
    try:
        listed = orjson.loads(body)
        present = {model["id"] for model in listed["data"]}
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return body
    ours = ({"id": n, "object": "model", "created": 0, "owned_by": "evogate"} for n in names if n not in present)
    listed["data"].extend(ours)
    return orjson.dumps(listed)
