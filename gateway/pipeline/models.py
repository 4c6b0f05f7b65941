"""`GET /v1/models`: the provider's list, and the policies, which may be asked for as models."""

import logging
from collections.abc import Iterable

import orjson

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers, Reply, Request
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.admission import Refused
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.headers import upward
from gateway.pipeline.routes import Route
from gateway.telemetry.lines import failed as log_failed
from policies.dialects import dialect_of
from policies.resilience import Permit, Trouble
from policies.resilience.retry_after import status_trouble

log = logging.getLogger("evogate.pipeline")


class ModelList:
    """A sink that reads the provider's list and adds to it. A list that it can't read passes unchanged."""

    __slots__ = (
        "_call", "_chunks", "_core", "_headers", "_id", "_names", "_permit", "_reply", "_request", "_route", "_status",
    )  # fmt: skip

    def __init__(
        self, core: Core, route: Route, request: Request, reply: Reply, request_id: str, *, names: Iterable[str]
    ) -> None:
        self._core = core
        self._route = route
        self._request = request
        self._reply = reply
        self._id = request_id
        self._names = list(names)
        self._call: Call | None = None
        self._permit: Permit | None = None
        self._chunks: list[bytes] = []
        self._headers: Headers = []
        self._status = 0

    def begin(self) -> None:
        """Ask the provider, once it may be asked."""
        self._reply.on_gone = self._gone
        permit = self._route.admission.admit(self._core.loop.time(), self)
        if type(permit) is Permit:
            self.on_admitted(permit)
        elif type(permit) is Refused:
            self.on_refused(permit)

    def on_admitted(self, permit: Permit) -> None:
        """Ask."""
        self._permit = permit
        request, route = self._request, self._route
        headers = upward(request.headers, route.credential, route.address.version, readable=True)
        try:
            self._call = route.call(request.method, route.path(request.target), headers, request.body, self)
        except Exception as error:
            log.warning("the call to upstream %s failed here", route.name, exc_info=error)
            self._permit = None
            route.admission.finish(permit, Trouble("upstream_call"), self._core.loop.time())
            self._told(Failure(502, "upstream_call", f"the call to the upstream failed: {error}"))

    def on_refused(self, refused: Refused) -> None:
        """The provider is not to be asked now."""
        self._told(Failure.refused(refused))

    def on_head(self, status: int, headers: Headers) -> None:
        """The answer begins."""
        self._status = status
        self._headers = [*headers, (b"x-evogate-request-id", self._id.encode())]

    def on_data(self, data: bytes) -> None:
        """A piece of it."""
        self._chunks.append(data)

    def on_end(self) -> None:
        """It is whole."""
        status, headers, body = self._status, self._headers, b"".join(self._chunks)
        self._finish(status_trouble(status, headers, self._core.now()) if status >= 400 else None)
        self._reply.send(status, headers, extended(body, self._names) if status == 200 else body)

    def on_error(self, error: UpstreamError) -> None:
        """There is none."""
        self._finish(Trouble(error.kind, self._status))
        self._told(Failure.of(error))

    def _told(self, failure: Failure) -> None:
        self._core.metrics.error(failure.reason)
        log_failed(self._id, reason=failure.reason, upstream=self._route.name)
        dialect = dialect_of(self._request.path)
        self._reply.send(failure.status, *answers.of_failure(failure, dialect, self._id, repeated=False))

    def _gone(self) -> None:
        if self._call is None:
            self._route.admission.leave(self)
        else:
            self._call.cancel()
            self._finish(Trouble("gone"))

    def _finish(self, trouble: Trouble | None) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            self._route.finish(permit, trouble, self._core.loop.time())


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
