"""Who watches requests from outside: what telemetry has to offer to the path."""

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from gateway.pipeline.exchange import Exchange
    from gateway.pipeline.receiver import Receiver, Server
    from gateway.pipeline.routes import Route
    from gateway.pipeline.settle import Settled


class Observer(Protocol):
    """Called on the loop; must neither block nor wait."""

    dropped: int  # requests that it had no room for
    refused: int  # that nobody would take from it

    def block(self, exchange: "Receiver", route: "Route") -> bytes:
        """The header fields to send up, the trace context of this call among them."""

    def ended(self, exchange: "Exchange", courier: "Server", done: "Settled", now: float) -> None:
        """A covered request has settled; `now` in Unix seconds."""
