"""What can go wrong with one attempt, and what each kind means for the request and for the upstream's health.

`retry`: the same request may be sent to the same upstream again. A completion has no effect but its cost, so that
repeating one is as good as idempotent (RFC 9110, 9.2.2). `elsewhere`: another upstream may do better. Client faults
are neither: the same request would fail again, and the client is the one to correct it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Counts(Enum):
    """What a result says about an upstream."""

    GOOD = "good"  # it answers
    BAD = "bad"
    PAUSE = "pause"  # it answers, and asks to be left alone for a while
    NOTHING = "nothing"  # it was ours, or the client's, or can't be told


@dataclass(frozen=True, slots=True)
class Trouble:
    """One attempt's failure.

    Args:
        kind: a row of KINDS; "status" for an answer whose status is the trouble.
        status: the HTTP status where one came, else 0.
        retry_after_s: what the upstream asked for, see `retry_after`.
        should_retry: the upstream's own word (`x-should-retry`, which the official clients obey, too).
    """

    kind: str
    status: int = 0
    retry_after_s: float | None = None
    should_retry: bool | None = None


class Row(NamedTuple):
    """The consequences of a trouble."""

    retry: bool
    elsewhere: bool
    counts: Counts


_AGAIN = Row(retry=True, elsewhere=True, counts=Counts.BAD)
_ELSEWHERE = Row(retry=False, elsewhere=True, counts=Counts.NOTHING)
_FINAL = Row(retry=False, elsewhere=False, counts=Counts.GOOD)

KINDS: dict[str, Row] = {
    "connect": _AGAIN,  # nothing was sent
    "tls": Row(retry=False, elsewhere=True, counts=Counts.BAD),  # certificates don't heal in seconds
    "timeout_connect": _AGAIN,
    "timeout_first_byte": _AGAIN,
    "timeout_idle": _AGAIN,
    "timeout_total": _ELSEWHERE,  # it was alive all the time, but there is no time for as much again
    "truncated": _AGAIN,
    "protocol": _AGAIN,
    "malformed": _AGAIN,  # a 200 whose body or events can't be read
    "stream_error": _AGAIN,  # an error inside a 200
    "overloaded": _ELSEWHERE,  # our own pool is full
    "refused": _ELSEWHERE,  # our own health state or limiter said no: the upstream has not been asked
    "upstream_call": Row(retry=False, elsewhere=False, counts=Counts.NOTHING),  # a fault here
    "gone": Row(retry=False, elsewhere=False, counts=Counts.NOTHING),  # the client hung up
}

STATUSES: dict[int, Row] = {
    # RFC 9110, 15.5.9: the client may repeat the request. It says nothing about the upstream: the request was slow.
    408: Row(retry=True, elsewhere=True, counts=Counts.NOTHING),
    409: Row(retry=True, elsewhere=False, counts=Counts.GOOD),  # lock timeout: the OpenAI and Anthropic SDKs retry it
    425: Row(retry=True, elsewhere=False, counts=Counts.GOOD),  # RFC 8470, 5.2: too early, repeat it
    429: Row(retry=True, elsewhere=True, counts=Counts.PAUSE),  # RFC 6585, 4
    500: _AGAIN,  # OpenAI, "Error codes": retry your request
    501: Row(retry=False, elsewhere=True, counts=Counts.GOOD),  # RFC 9110, 15.6.2: not this server's to do
    502: _AGAIN,
    503: _AGAIN,  # RFC 9110, 15.6.4; OpenAI: the engine is overloaded
    504: _AGAIN,
    505: Row(retry=False, elsewhere=True, counts=Counts.GOOD),
    520: _AGAIN,  # 520-524: Cloudflare, which stands before several providers, could not reach the origin
    521: _AGAIN,
    522: _AGAIN,
    523: _AGAIN,
    524: _AGAIN,
    529: _AGAIN,  # Anthropic, "Errors": overloaded_error
}

_OTHER_5XX = Row(retry=False, elsewhere=True, counts=Counts.BAD)
_UNKNOWN = Row(retry=False, elsewhere=False, counts=Counts.NOTHING)


def row_of(trouble: Trouble) -> Row:
    """The consequences of a trouble; those of an unknown kind are none."""
    if trouble.kind != "status":
        return KINDS.get(trouble.kind, _UNKNOWN)
    row = STATUSES.get(trouble.status) or (_OTHER_5XX if trouble.status >= 500 else _FINAL)
    if trouble.should_retry is not None:
        return row._replace(retry=trouble.should_retry)
    return row
