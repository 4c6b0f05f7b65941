"""Who a courier brings an answer to, and what an exchange needs of whoever serves it."""

from typing import Any, Protocol

from gateway.http.calls import Call
from gateway.http.messages import Headers, Request
from gateway.pipeline.epoch import Target
from gateway.pipeline.failures import Failure
from gateway.pipeline.fallopen import Stage
from gateway.pipeline.plan import Plan
from gateway.pipeline.rendering import Rendered
from gateway.pipeline.routes import Route
from policies.outcome import Answer
from policies.resilience import Attempts
from policies.strategy.account import Account


class Receiver(Protocol):
    """An exchange, or one call of several that serve it."""

    trace: Any  # a note of the observer's

    @property
    def request(self) -> Request:
        """The client's."""

    @property
    def id(self) -> str:
        """The request's."""

    @property
    def body(self) -> dict[str, Any]:
        """What was asked, as the client's JSON."""

    @property
    def model(self) -> str:
        """As the client asked."""

    @property
    def plan(self) -> Plan:
        """The arm, and the policy."""

    @property
    def blames_upstream(self) -> bool:
        """Whether a failure counts against the upstream's health."""

    def place(self, target: Target, now: float, avoid: Route | None) -> Route | None:
        """Which of the target's upstreams is to be asked."""

    def attempts(self, now: float) -> Attempts:
        """Begin to count attempts."""

    def rendered_for(self, leg: int) -> Rendered:
        """What that place is sent: 0 the first, then the fallbacks."""

    def read(self, body: bytes) -> Answer | None:
        """The answer in a body."""

    def failed_open(self, stage: Stage, error: Exception) -> None:
        """Count a swallowed fault."""

    def sending(self) -> None:
        """An attempt goes out."""

    def arrived(self) -> None:
        """A head has come."""

    def answered(self, status: int, headers: Headers, body: bytes, answer: Answer | None) -> None:
        """A whole answer."""

    def began(self, status: int, headers: Headers, call: Call | None) -> None:
        """A stream."""

    def said(self, data: bytes) -> None:
        """A piece of it."""

    def ended(self, terminator: bytes, answer: Answer) -> None:
        """It is whole."""

    def failed(self, failure: Failure, *, repeated: bool) -> None:
        """Nothing helped."""


class Server(Protocol):
    """Serves an exchange: a courier, or a coordinator of several."""

    @property
    def rendered(self) -> Rendered:
        """What the answer is an answer to."""

    @property
    def status(self) -> int:
        """Of the upstream whose answer it is; 0 where none has answered."""

    @property
    def tries(self) -> int:
        """Attempts so far."""

    @property
    def fell_back(self) -> bool:
        """Whether another place than the first was asked last."""

    @property
    def answer(self) -> Answer | None:
        """What has been read of a stream so far."""

    @property
    def sequence(self) -> int:
        """The number of the stream's next event, where the endpoint numbers them."""

    def account(self, answer: Answer | None) -> Account | None:
        """What several calls came to, where the request got that answer; None where there was one."""

    def send(self) -> None:
        """Begin."""

    def give_up(self) -> None:
        """The client has gone."""
