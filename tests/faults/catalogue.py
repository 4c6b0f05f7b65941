"""The faults as data: what the provider does, what a client is then told, and what goes on record.

S01-S16 are the situations that Failover Bench describes (github.com/failoverbench/failoverbench, methodology 0.1), in
our own words and with answers of our own. P01 and following are ours: other ways in which providers, proxies and
networks have been seen to break an answer.

`alone` holds with one upstream and nothing to fall back on: the right answer or an error that says so, and each
request goes up once. `rescue` holds where retries and a second upstream are configured, see `rescue.py`.
"""

from dataclasses import dataclass
from typing import Literal

from tests.faults import wire
from tests.faults.upstream import Act, Answer

Shape = Literal["stream", "whole"]


@dataclass(frozen=True, slots=True)
class Told:
    """What a client gets: the whole answer where `code` is None, else an error of that code."""

    status: int = 200
    code: str | None = None
    ours: bool | None = True  # the error was made by the gateway, not by the provider; None: some of each
    failure: str | None = None  # the class on record


@dataclass(frozen=True, slots=True)
class Rescue:
    """What retries and a spare upstream make of it."""

    by: Literal["either", "primary", "spare", "nobody"] = "either"  # nobody: the error stays the provider's
    asked: int = 2  # most requests that the primary may see


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to misbehave. The last answer of each shape repeats; an empty tuple: it has no such shape."""

    id: str
    title: str
    stream: tuple[Answer, ...]
    whole: tuple[Answer, ...]
    alone: dict[Shape, Told]
    rescue: Rescue = Rescue()
    stalls: bool = False  # short timeouts are needed

    def answers(self, shape: Shape) -> tuple[Answer, ...]:
        """The script."""
        return self.stream if shape == "stream" else self.whole


def _both(told: Told) -> dict[Shape, Told]:
    return {"stream": told, "whole": told}


def _cut(words: int, *then: Act) -> Answer:
    """The stream stands after so many words; `then` happens."""
    return (wire.STREAM_HEAD, wire.chunk(wire.deltas(wire.WORDS[:words])), *then)


def _half(*then: Act) -> Answer:
    """Half of an answer that has a length; `then` happens."""
    return (wire.whole(wire.completion())[:-120], *then)


FINE: dict[Shape, Answer] = {"stream": (wire.answer(),), "whole": (wire.whole(wire.completion()),)}
_FINE_STREAM, _FINE_WHOLE = FINE["stream"], FINE["whole"]

_LIMITED: Answer = (wire.error("429 Too Many Requests", "slow down", "rate_limited"),)
_LIMITED_FOR: Answer = (
    wire.error("429 Too Many Requests", "slow down", "rate_limited", b"retry-after-ms: 30\r\nretry-after: 1\r\n"),
)
_BROKEN: Answer = (wire.error("500 Internal Server Error", "something broke", "internal"),)
_BUSY: Answer = (wire.error("503 Service Unavailable", "overloaded", "overloaded"),)
_TOO_LONG: Answer = (wire.error("400 Bad Request", "9631 tokens are too many", "context_length_exceeded"),)
_FILTERED: Answer = (wire.error("400 Bad Request", "the prompt was rejected", "content_policy_violation"),)

_GARBLED: Answer = (
    wire.STREAM_HEAD,
    wire.chunk(wire.deltas(wire.WORDS[:9])),
    wire.chunk(b'data: {"id": "x", "choices": [{"delta": {"con\n\n'),
    wire.chunk(wire.deltas(wire.WORDS[10:], first=False) + wire.finish() + wire.DONE),
    wire.LAST_CHUNK,
)
_GARBLED_WHOLE: Answer = (wire.whole(wire.completion().replace(b'"content":', b'"content"', 1)),)
_WITHOUT_DONE: Answer = (
    wire.STREAM_HEAD, wire.chunk(wire.deltas(wire.WORDS)), wire.chunk(wire.finish()), wire.LAST_CHUNK
)  # fmt: skip

_THEIR_429 = Told(429, "rate_limited", ours=False, failure="rate_limited")
_THEIR_500 = Told(500, "internal", ours=False, failure="server_error")
_THEIR_503 = Told(503, "overloaded", ours=False, failure="server_error")
_CUT: dict[Shape, Told] = {
    "stream": Told(200, "truncated", failure="cut_short"),
    "whole": Told(502, "truncated", failure="cut_short"),
}
_STALLED: dict[Shape, Told] = {
    "stream": Told(200, "timeout_idle", failure="cut_short"),
    "whole": Told(504, "timeout_idle", failure="cut_short"),
}
_UNREADABLE: dict[Shape, Told] = {
    "stream": Told(200, "malformed", failure="server_error"),
    "whole": Told(502, "malformed", failure="server_error"),
}

BENCH: tuple[Fault, ...] = (
    Fault(
        "S01", "rate limited once, with a time to wait",
        (_LIMITED_FOR, _FINE_STREAM), (_LIMITED_FOR, _FINE_WHOLE), _both(_THEIR_429), Rescue("either"),
    ),
    Fault("S02", "rate limited for good, no time given", (_LIMITED,), (_LIMITED,), _both(_THEIR_429), Rescue("spare")),
    Fault(
        "S03", "one internal error, then healthy",
        (_BROKEN, _FINE_STREAM), (_BROKEN, _FINE_WHOLE), _both(_THEIR_500), Rescue("either"),
    ),
    Fault("S04", "overloaded for good", (_BUSY,), (_BUSY,), _both(_THEIR_503), Rescue("spare")),
    Fault(
        "S05", "a reset before any byte of the answer, then healthy",
        ((Act.RESET,), _FINE_STREAM), ((Act.RESET,), _FINE_WHOLE),
        _both(Told(502, "truncated", failure="transport")), Rescue("either"),
    ),
    Fault(
        "S06", "no answer at all",
        ((Act.SILENCE,),), ((Act.SILENCE,),),
        _both(Told(504, "timeout_first_byte", failure="transport")), Rescue("spare", 1), stalls=True,
    ),
    Fault(
        "S07", "the head at once, the first token late",
        ((wire.STREAM_HEAD, Act.PAUSE, wire.answer().removeprefix(wire.STREAM_HEAD)),),
        ((wire.head("200 OK", len(wire.completion())), Act.PAUSE, wire.completion()),),
        _both(Told()), Rescue("spare", 1),
    ),
    Fault("S08", "cut after two thirds", (_cut(40, Act.CLOSE),), (_half(Act.CLOSE),), _CUT, Rescue("spare")),
    Fault(
        "S09", "silent after one third",
        (_cut(20, Act.SILENCE),), (_half(Act.SILENCE),), _STALLED, Rescue("spare"), stalls=True,
    ),
    Fault("S10", "an event that is no JSON", (_GARBLED,), (_GARBLED_WHOLE,), _UNREADABLE, Rescue("spare")),
    Fault(
        "S11", "every event but [DONE], and an orderly end",
        (_WITHOUT_DONE,), (), {"stream": Told()}, Rescue("primary", 1),
    ),
    Fault(
        "S12", "the prompt is too long for the model",
        (_TOO_LONG,), (_TOO_LONG,),
        _both(Told(400, "context_length_exceeded", ours=False, failure="bad_request")), Rescue("spare", 1),
    ),
    Fault(
        "S13", "the prompt is rejected by a filter",
        (_FILTERED,), (_FILTERED,),
        _both(Told(400, "content_policy_violation", ours=False, failure="bad_request")), Rescue("nobody", 1),
    ),
    Fault(
        "S14", "cut after two thirds; the spare refuses half an answer to go on from",
        (_cut(40, Act.RESET),), (_half(Act.RESET),), _CUT, Rescue("spare"),
    ),
    # S15, down for a while and then healthy, is a sequence: see test_flapping.py.
    Fault("S16", "overloaded for good; who is billed", (_BUSY,), (_BUSY,), _both(_THEIR_503), Rescue("spare")),
)  # fmt: skip

_LATE_ERROR = wire.event({"error": {"message": "gone", "type": "server_error", "param": None, "code": "gone"}})
_SSE = b"text/event-stream"
_STREAMED = wire.deltas(wire.WORDS) + wire.finish() + wire.DONE
_PAGE = wire.whole(b"<html><body>Please sign in.</body></html>", kind=b"text/html")
_THEIRS_IN_200 = Told(200, "gone", ours=None, failure="server_error")

OURS: tuple[Fault, ...] = (
    Fault(
        "P01", "shorter than its length says",
        ((wire.head("200 OK", len(_STREAMED), kind=_SSE) + _STREAMED[:-400], Act.CLOSE),), (_half(Act.CLOSE),), _CUT,
    ),
    Fault(
        "P02", "longer than its length says",
        ((wire.head("200 OK", len(_STREAMED) - 400, kind=_SSE) + _STREAMED,),),
        ((wire.head("200 OK", len(wire.completion()) - 120) + wire.completion(),),),
        {"stream": _CUT["stream"], "whole": _UNREADABLE["whole"]},
    ),
    Fault(
        "P03", "an error inside a 200",
        ((wire.STREAM_HEAD, wire.chunk(_LATE_ERROR), wire.LAST_CHUNK),),
        ((wire.whole(wire.error_body("gone", "gone")),),), _both(_THEIRS_IN_200),
    ),
    Fault(
        "P04", "an error in the middle of a stream, and [DONE] behind it",
        ((*_cut(20), wire.chunk(_LATE_ERROR + wire.DONE), wire.LAST_CHUNK),), (), {"stream": _THEIRS_IN_200},
    ),
    Fault(
        "P05", "a chunk size that is no number",
        ((*_cut(20), b"zz\r\n"),),
        ((b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",),),
        {"stream": Told(200, "protocol", failure="cut_short"), "whole": Told(502, "protocol", failure="cut_short")},
    ),
    Fault(
        "P06", "cut in the middle of the head",
        ((wire.STREAM_HEAD[:30], Act.CLOSE),), ((wire.STREAM_HEAD[:30], Act.CLOSE),),
        _both(Told(502, "truncated", failure="transport")),
    ),
    Fault(
        "P07", "bytes that are no HTTP",
        ((b"SSH-2.0-OpenSSH_9.2\r\n",),), ((b"SSH-2.0-OpenSSH_9.2\r\n",),),
        _both(Told(502, "protocol", failure="transport")),
    ),
    Fault("P08", "a page to sign in, with a 200", ((_PAGE,),), ((_PAGE,),), _both(_UNREADABLE["whole"])),
    Fault(
        "P09", "nothing, with a 200",
        ((wire.head("200 OK", 0, kind=_SSE),),), ((wire.head("200 OK", 0),),),
        {"stream": _CUT["stream"], "whole": _UNREADABLE["whole"]},
    ),
    Fault(
        "P10", "whole, but reset behind its terminator",
        ((wire.answer().removesuffix(wire.LAST_CHUNK), Act.RESET),), (), {"stream": Told()},
    ),
    Fault(
        "P11", "interim answers first",
        ((b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + wire.answer(),),),
        ((b"HTTP/1.1 100 Continue\r\n\r\n" + wire.whole(wire.completion()),),), _both(Told()),
    ),
    Fault(
        "P12", "a whole answer to who asked for a stream",
        ((wire.whole(wire.completion()),),), (), {"stream": _UNREADABLE["whole"]},
    ),
    Fault("P13", "cut in the middle of an event", ((wire.answer()[:700], Act.CLOSE),), (), {"stream": _CUT["stream"]}),
)  # fmt: skip

ALL = BENCH + OURS
