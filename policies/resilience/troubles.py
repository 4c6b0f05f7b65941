"""What can go wrong with one attempt, and what each kind means for the request and for the upstream's health.

`again`: whether the same upstream is asked once more. A completion has no effect but its cost, so that repeating one
is as good as idempotent (RFC 9110, 9.2.2). What failed fast is tried again first; what failed slowly has cost a
timeout and would cost it again: only where there is no fallback. `elsewhere`: another upstream may do better. A
client's own faults are neither: the same request would fail again, and the client is the one to correct it.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, NamedTuple


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


Again = Literal["first", "last", "never"]  # before the fallbacks, where there is none, not at all


class Row(NamedTuple):
    """The consequences of a trouble."""

    again: Again
    elsewhere: bool
    counts: Counts


_FAST: Final = Row("first", elsewhere=True, counts=Counts.BAD)
_SLOW: Final = Row("last", elsewhere=True, counts=Counts.BAD)
_ELSEWHERE: Final = Row("never", elsewhere=True, counts=Counts.NOTHING)
_FINAL: Final = Row("never", elsewhere=False, counts=Counts.GOOD)
_OURS: Final = Row("never", elsewhere=False, counts=Counts.NOTHING)

KINDS: Final[dict[str, Row]] = {
    "connect": _FAST,  # nothing was sent
    "tls": Row("never", elsewhere=True, counts=Counts.BAD),  # certificates don't heal in seconds
    "timeout_connect": _SLOW,
    "timeout_first_byte": _SLOW,
    "timeout_idle": _SLOW,
    "timeout_total": _ELSEWHERE,  # it was alive all the time, but there is no time for as much again
    "truncated": _FAST,
    "protocol": _FAST,
    "malformed": _FAST,  # a 200 whose body or events can't be read
    "stream_error": _FAST,  # an error inside a 200 that `inside` does not know better
    "overloaded": _ELSEWHERE,  # our own pool is full
    "refused": _ELSEWHERE,  # our own health state or limiter said no: the upstream has not been asked
    "too_long": Row("never", elsewhere=True, counts=Counts.GOOD),  # for this model; a fallback may take more
    "diverged": Row("never", elsewhere=True, counts=Counts.GOOD),  # a rescue that did not fit
    "upstream_call": _OURS,  # a fault here
    "gone": _OURS,  # the client hung up
    "trial": _OURS,  # of a genome on trial, whose failures may be its own doing
}

STATUSES: Final[dict[int, Row]] = {
    # RFC 9110, 15.5.9: the client may repeat the request. It says nothing about the upstream: the request was slow.
    408: Row("first", elsewhere=True, counts=Counts.NOTHING),
    409: Row("first", elsewhere=False, counts=Counts.GOOD),  # lock timeout: the OpenAI and Anthropic SDKs retry it
    425: Row("first", elsewhere=False, counts=Counts.GOOD),  # RFC 8470, 5.2: too early, repeat it
    429: Row("first", elsewhere=True, counts=Counts.PAUSE),  # RFC 6585, 4
    500: _FAST,  # OpenAI, "Error codes": retry your request
    501: Row("never", elsewhere=True, counts=Counts.GOOD),  # RFC 9110, 15.6.2: not this server's to do
    502: _FAST,
    503: _FAST,  # RFC 9110, 15.6.4; OpenAI: the engine is overloaded
    504: _SLOW,  # RFC 9110, 15.6.5: a timeout of the provider's own
    505: Row("never", elsewhere=True, counts=Counts.GOOD),
    520: _FAST,  # 520-524: Cloudflare, which stands before several providers, could not reach the origin
    521: _FAST,
    522: _SLOW,
    523: _FAST,
    524: _SLOW,
    529: _FAST,  # Anthropic, "Errors": overloaded_error
}

_OTHER_5XX: Final = Row("never", elsewhere=True, counts=Counts.BAD)

# Names of errors inside a 200, as the statuses that the same providers send with them (OpenAI "Error codes",
# Anthropic "Errors").
INSIDE: Final[dict[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "overloaded_error": 529,
}


def row_of(trouble: Trouble) -> Row:
    """The consequences of a trouble; those of an unknown kind are none."""
    if trouble.kind != "status":
        return KINDS.get(trouble.kind, _OURS)
    row = STATUSES.get(trouble.status) or (_OTHER_5XX if trouble.status >= 500 else _FINAL)
    if trouble.should_retry is not None:
        return row._replace(again="first" if trouble.should_retry else "never")
    return row


def inside(error: Any) -> Trouble:
    """The trouble of an error object inside a 200: its `type` or `code` may name it, or `code` be a status."""
    for name in (error.get("code"), error.get("type")) if isinstance(error, dict) else ():
        status = name if type(name) is int else INSIDE.get(str(name))
        if status is not None and 400 <= status < 600:
            return Trouble("status", status)
    return Trouble("stream_error")
