"""A request on its way to an upstream, and who hears the answer."""

from typing import TYPE_CHECKING, NamedTuple, Protocol

from gateway.http.errors import UpstreamError
from gateway.http.framing import Headers
from gateway.http.incoming import Incoming
from gateway.http.tunnel import Side

if TYPE_CHECKING:
    from gateway.http.upstream_connection import UpstreamConnection

Body = bytes | Incoming  # whole, or still arriving


class Sink(Protocol):
    """Who hears an answer. Called on the loop; must not block. A sink that is a WholeSink, too, hears of it there."""

    def on_head(self, status: int, headers: Headers) -> None:
        """The head, without hop-by-hop headers; interim answers are left out."""

    def on_data(self, data: bytes) -> None:
        """What one read brought of the body, never empty."""

    def on_end(self) -> None:
        """The body is whole."""

    def on_error(self, error: UpstreamError) -> None:
        """There is no answer, or no more of it."""


class WholeSink(Sink, Protocol):
    """A sink that takes an answer in one call where it came in one read, as nearly all that are not streams do."""

    def on_whole(self, status: int, headers: Headers, body: bytes, content_type: bytes) -> None:
        """Instead of `on_head`, `on_data` and `on_end`; never for an answer that can't have a body.

        `content_type` is the header's value, empty where absent: spares looking for it.
        """


class UpgradeSink(Sink, Protocol):
    """A sink of a call that offers to switch protocols."""

    def on_upgrade(self, headers: Headers, far: Side) -> None:
        """The upstream has switched: hand `far` to `Reply.tunnel`. `on_end` follows when that connection has closed.

        Where the upstream declines, its answer comes as any other.
        """


class Patience(NamedTuple):
    """How long to wait, in seconds: for a connection, for an answer's first byte, for its next, and for all of it."""

    connect_s: float
    first_byte_s: float
    idle_s: float
    total_s: float


class Call:
    """One request on its way. `deadline` is that of the whole call, on the loop's clock."""

    __slots__ = (
        "connection", "deadline", "method", "patience", "paused", "request", "sink", "takes_whole", "upgrade", "upload",
    )  # fmt: skip

    def __init__(  # noqa: PLR0917 - on the path of every request
        self,
        method: bytes,
        request: bytes,
        sink: Sink,
        deadline: float,
        patience: Patience,
        upload: Incoming | None = None,
    ) -> None:
        self.method = method
        self.patience = patience
        self.request = request
        self.upload = upload  # the body, where it follows the request as it arrives
        self.sink: Sink | None = sink  # None once the call has ended
        self.takes_whole = hasattr(sink, "on_whole")  # a WholeSink that has heard nothing yet
        self.deadline = deadline
        self.upgrade = False
        self.connection: UpstreamConnection | None = None
        self.paused = False

    def cancel(self) -> None:
        """End it and close its connection at once: an upstream that goes on generating goes on billing."""
        self.sink = None
        if self.connection is not None:
            self.connection.close()

    def pause(self) -> None:
        """Stop reading the answer; the idle timeout rests too."""
        self.paused = True
        if self.connection is not None:
            self.connection.read_on()

    def resume(self) -> None:
        """Go on reading."""
        self.paused = False
        if self.connection is not None:
            self.connection.read_on()

    def fail(self, error: UpstreamError) -> None:
        """End it with an error, unless it has ended."""
        sink, self.sink = self.sink, None
        self.connection = None
        if sink is not None:
            sink.on_error(error)
