"""`GET /v1/models`: the provider's list, and the policies, which may be asked for as models."""

from collections.abc import Iterable

import orjson

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers, Reply, Request
from gateway.pipeline import answers
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import upward
from gateway.pipeline.routes import Route


class ModelList:
    """A sink that reads the provider's list and adds to it. A list that it can't read passes unchanged."""

    __slots__ = ("_chunks", "_headers", "_id", "_names", "_reply", "_request", "_route", "_status")

    def __init__(self, route: Route, request: Request, reply: Reply, request_id: str, names: Iterable[str]) -> None:
        self._route = route
        self._request = request
        self._reply = reply
        self._id = request_id
        self._names = list(names)
        self._chunks: list[bytes] = []
        self._headers: Headers = []
        self._status = 0

    def begin(self) -> None:
        """Ask the provider."""
        request, route = self._request, self._route
        headers = upward(request.headers, route.credential, route.address.version, readable=True)
        call = route.call(request.method, route.path(request.target), headers, request.body, self)

        def gone() -> None:
            call.cancel()
            route.done()

        self._reply.on_gone = gone

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._status = status
        self._headers = [*headers, (b"x-evogate-request-id", self._id.encode())]

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        self._route.done()
        body = b"".join(self._chunks)
        self._reply.send(self._status, self._headers, extended(body, self._names) if self._status == 200 else body)

    def on_error(self, error: UpstreamError) -> None:
        """There is none."""
        self._route.done()
        failure = Failure.of(error)
        self._reply.send(failure.status, answers.made_here(error.kind, self._id), answers.upstream_error(failure))


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
