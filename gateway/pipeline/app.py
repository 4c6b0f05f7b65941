"""The data plane's application: what each request is, and who answers it."""

import logging
from functools import partial
from typing import Any, Final

import orjson

from gateway.http.messages import Headers, Reply, Request
from gateway.pipeline import answers
from gateway.pipeline.core import Core
from gateway.pipeline.desk import Desk
from gateway.pipeline.epoch import Epoch
from gateway.pipeline.exchange import Exchange
from gateway.pipeline.feedback import Heard
from gateway.pipeline.models import ModelList
from gateway.pipeline.relay import Relay
from policies.dialects import dialect_of
from policies.errors import ClientError

log = logging.getLogger("evogate.pipeline")

_FEEDBACK: Final = b"/v1/feedback"
_MODELS: Final = b"/v1/models"
_HEALTH: Final = b"/health"
_READY: Final = b"/ready"
_ELSEWHERE: Final = b"retry-after", b"1"  # by then whoever balances the load knows, and another gateway answers
_OWN: Final = frozenset({_FEEDBACK, _HEALTH, _READY})


class DataPlane:
    """Called on the loop for each complete request; never blocks, never raises."""

    def __init__(self, core: Core, desk: Desk) -> None:
        self._core = core
        self._desk = desk
        self.started = False  # the first epoch is in force and the recordings are replayed
        self.ready = False  # started, and not draining

    def __call__(self, request: Request, reply: Reply) -> None:
        """Answer a request, or see to it that it will be answered."""
        try:
            self._dispatch(request, reply)
        except Exception as error:
            log.exception("a request failed here")
            if not reply.started:
                self._refuse(reply, 500, "internal", f"the gateway failed: {type(error).__name__}")
            else:
                reply.abort()

    def _dispatch(self, request: Request, reply: Reply) -> None:
        path = request.target.partition(b"?")[0]
        if path in _OWN:
            self._answer(path, request, reply)
        elif not self.started:
            self._refuse(reply, 503, "starting", "the gateway is starting; try again in a moment")
        else:
            epoch = self._core.epoch
            if not (_may_be_covered(epoch, path, request) and self._covered(epoch, path, request, reply)):
                self._relay(epoch, path, request, reply)

    def late(self, request: Request, reply: Reply) -> None:
        """Answer a request that came on a new connection during the drain.

        Probes and feedback are answered as ever; what would go to a provider is turned away, so that the end comes and
        no answer that began in the grace period is cut by its end. Clients and balancers try a 503 elsewhere.
        """
        if request.path in _OWN:
            self(request, reply)
            return
        reason, message = "draining", "the gateway is shutting down; try again: another one may answer"
        self._core.metrics.error(reason)
        body = dialect_of(request.path).error_body(message, status=503, kind="gateway_error", code=reason)
        reply.send(503, [*answers.made_here(reason, self._core.new_id()), _ELSEWHERE], body)

    def passes(self, request: Request) -> bool:
        """Whether a request's body goes up as it arrives: where neither a policy nor the gateway itself reads it."""
        path = request.path
        if not self.started or path in _OWN or path == _MODELS:
            return False
        return not _may_be_covered(self._core.epoch, path, request)

    def _answer(self, path: bytes, request: Request, reply: Reply) -> None:
        """What is asked of the gateway itself."""
        if path == _HEALTH:
            self._plain(reply, 200, {"status": "ok"})
        elif path == _READY:
            self._plain(reply, *((200, {"ready": True}) if self.ready else (503, {"ready": False})))
        elif not self.started:
            self._refuse(reply, 503, "starting", "the gateway is starting; try again in a moment")
        else:
            self._feedback(request, reply)

    def _covered(self, epoch: Epoch, path: bytes, request: Request, reply: Reply) -> bool:
        """Whether a policy takes the request; then it is on its way."""
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            body = None
        if type(body) is not dict:
            return False  # the provider is the one to refuse it
        at, model = path.decode("latin-1"), body.get("model")
        model = model if type(model) is str else ""
        chosen = request.index.get(b"x-evogate-policy")
        try:
            name = epoch.matcher.find(at, model, chosen.decode("latin-1") if chosen else None)
        except ClientError as error:
            self._refuse(reply, 400, "unknown_policy", str(error), param="x-evogate-policy")
            return True
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("assignment", error)
            return False
        if name is None:
            return False
        try:
            exchange = Exchange(self._core, epoch, epoch.policies[name], request, reply, at, body, model)
        except Exception as error:  # noqa: BLE001
            self._core.fall_open.count("assignment", error)
            return False
        exchange.begin()
        return True

    def _relay(self, epoch: Epoch, path: bytes, request: Request, reply: Reply) -> None:
        route = epoch.default_route
        if route is None:
            self._refuse(reply, 503, "no_upstream", "no upstream is configured; add one under `upstreams`")
            return
        request_id = self._core.new_id()
        if path == _MODELS and request.method == b"GET" and request.get(b"x-evogate-bypass") != b"1":
            ModelList(self._core, route, request, reply, request_id, names=epoch.policies).begin()
        else:
            Relay(self._core, route, request, reply, request_id).begin()

    def _feedback(self, request: Request, reply: Reply) -> None:
        if request.method != b"POST":
            self._refuse(reply, 405, "method", "feedback is sent by POST")
            return
        self._desk.receive(request.body, request.get(b"authorization"), partial(self._heard, reply))

    def _heard(self, reply: Reply, heard: Heard) -> None:
        if heard.status == 202:
            accepted = {"accepted": True, "request_id": heard.request_id, "counted": heard.counted}
            self._plain(reply, 202, accepted)
        else:
            param = "request_id" if heard.status == 404 else None
            self._refuse(reply, heard.status, heard.reason, heard.message, param=param)

    def _plain(self, reply: Reply, status: int, body: dict[str, Any]) -> None:
        headers: Headers = [answers.JSON_TYPE, (b"x-evogate-request-id", self._core.new_id().encode())]
        reply.send(status, headers, orjson.dumps(body))

    def _refuse(self, reply: Reply, status: int, reason: str, message: str, *, param: str | None = None) -> None:
        self._core.metrics.error(reason)
        body = answers.refusal(message, reason, status=status, param=param)
        reply.send(status, answers.made_here(reason, self._core.new_id()), body)


def _may_be_covered(epoch: Epoch, path: bytes, request: Request) -> bool:
    return path in epoch.paths and request.method == b"POST" and request.index.get(b"x-evogate-bypass") != b"1"
