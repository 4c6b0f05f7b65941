"""What a client is told of a failure that nothing could help: the provider's own answer, or one made here."""

from dataclasses import dataclass, field
from typing import Final, Self

from gateway.http.errors import UpstreamError
from gateway.http.messages import Headers
from gateway.pipeline.admission import Refused
from policies.outcome import Answer

_STATUS: Final = {
    "timeout_connect": 504,
    "timeout_first_byte": 504,
    "timeout_idle": 504,
    "timeout_total": 504,
    "overloaded": 503,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """One failure.

    Args:
        status: for a client that has nothing yet.
        reason: one of a bounded set, for `x-evogate-error` and metrics; empty where the provider's own status tells.
        message: for people.
        kind: what broke on the way; None where the answer alone tells.
        retry_after_s: when the client may come again.
        headers, body: the provider's answer, to be passed on; `body` None: there is none to pass.
        last: the events with which a provider ended its own stream.
        answer: what has been read.
    """

    status: int
    reason: str
    message: str
    kind: str | None = None
    retry_after_s: float | None = None
    headers: Headers = field(default_factory=list)
    body: bytes | None = None
    last: bytes = b""
    answer: Answer | None = None

    @classmethod
    def of(cls, error: UpstreamError) -> Self:
        """A call that ended without an answer."""
        return cls(_STATUS.get(error.kind, 502), error.kind, str(error), error.kind)

    @classmethod
    def refused(cls, refused: Refused) -> Self:
        """The upstream was not asked."""
        return cls(refused.status, refused.reason, refused.message, refused.reason, refused.retry_after_s)
