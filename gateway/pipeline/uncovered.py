"""What calls without a policy have in common: they pass their upstream's health, limit and queue, as any other.

A body that is still arriving waits with its client where its turn has not come.
"""

import logging
from abc import ABC, abstractmethod

from gateway.http.messages import Headers, Reply, Request
from gateway.http.upstream import Call
from gateway.pipeline import answers
from gateway.pipeline.admission import Refused
from gateway.pipeline.core import Core
from gateway.pipeline.failures import Failure
from gateway.pipeline.routes import Route
from gateway.telemetry.lines import failed as log_failed
from policies.dialects import dialect_of
from policies.resilience import Permit, Trouble
from policies.resilience.retry_after import status_trouble

log = logging.getLogger("evogate.pipeline")


class Uncovered(ABC):
    """One call, from its admission to its end; a subclass is the sink of its answer, and ends it by `_release`."""

    __slots__ = ("_call", "_core", "_id", "_open", "_permit", "_reply", "_request", "_route", "_status", "_trouble")

    def __init__(self, core: Core, route: Route, request: Request, reply: Reply, request_id: str) -> None:
        self._core = core
        self._route = route
        self._request = request
        self._reply = reply
        self._id = request_id
        self._call: Call | None = None
        self._permit: Permit | None = None
        self._trouble: Trouble | None = None  # that the answer's status tells of
        self._status = 0
        self._open = False  # the call is on its way

    def begin(self) -> None:
        """Ask the upstream to be let in."""
        self._reply.on_gone = self._gone
        permit = self._route.admission.admit(self._core.loop.time(), self)
        if type(permit) is Permit:
            self.on_admitted(permit)
        elif type(permit) is Refused:
            self.on_refused(permit)

    def on_admitted(self, permit: Permit) -> None:
        """Send the request up."""
        self._permit = permit
        try:
            self._call = self._send()
        except Exception as error:
            log.warning("the call to upstream %s failed here", self._route.name, exc_info=error)
            self._leave(Trouble("upstream_call"))
            self._told(Failure(502, "upstream_call", f"the call to the upstream failed: {error}"))
            return
        self._open = True

    def on_refused(self, refused: Refused) -> None:
        """The upstream is not to be asked now."""
        self._told(Failure.refused(refused))

    @abstractmethod
    def _send(self) -> Call:
        """Make the call."""

    def _named(self) -> tuple[bytes, ...]:
        """The header lines of our own that an answer carries."""
        return (b"x-evogate-request-id: " + self._id.encode(),)

    def _judge(self, status: int, headers: Headers) -> None:
        """Note what an answer's head says of the upstream."""
        self._status = status
        self._trouble = status_trouble(status, headers, self._core.now()) if status >= 400 else None
        permit = self._permit
        if permit is not None and permit.probe and self._trouble is None:
            self._route.admission.health.began(permit, self._core.loop.time())

    def _told(self, failure: Failure) -> None:
        """The client, which has nothing yet, hears why there is no answer."""
        self._let_go()
        self._note(failure.reason)
        dialect = dialect_of(self._request.path)
        self._reply.send(failure.status, *answers.of_failure(failure, dialect, self._id, repeated=False))

    def _note(self, reason: str) -> None:
        self._core.metrics.error(reason)
        log_failed(self._id, reason=reason, upstream=self._route.name)

    def _gone(self) -> None:
        if self._call is None:
            self._route.admission.leave(self)
        elif self._open:
            self._call.cancel()
            self._release(Trouble("gone"))

    def _release(self, trouble: Trouble | None) -> None:
        """The call has ended."""
        if self._open:
            self._open = False
            self._leave(trouble)
            self._route.done()
            self._let_go()

    def _let_go(self) -> None:
        reply = self._reply
        reply.on_gone = reply.on_pause = reply.on_resume = None  # no cycle is left for the collector

    def _leave(self, trouble: Trouble | None) -> None:
        """Others may have its place."""
        permit, self._permit = self._permit, None
        if permit is not None:
            self._route.admission.finish(permit, trouble, self._core.loop.time())
