"""From what was observed of a request to its failure class. The first row that holds decides:

| # | class             | holds when                                                                                 |
| - | ----------------- | ------------------------------------------------------------------------------------------ |
| 1 | FELL_OPEN         | a fault here sent up the client's own bytes: the arm failed, whatever came of the request  |
| 2 | FELL_BACK         | another arm answered in its place                                                          |
| 3 | TOO_SLOW          | the client hung up after the latency budget had passed (else slow arms would hide behind 4)|
| 4 | CLIENT_GONE       | the client hung up; outside the union                                                      |
| 5 | CUT_SHORT         | the connection failed after the provider's status had come                                 |
| 6 | TRANSPORT         | it failed before                                                                           |
| 7 | AUTH              | 401, 403; outside the union                                                                |
| 8 | RATE_LIMITED      | 429; outside the union                                                                     |
| 9 | BAD_REQUEST       | another 4xx                                                                                |
| 10| SERVER_ERROR      | any other status than 2xx; an error inside a 200; an answer that could not be read         |
| 11| CUT_SHORT         | no terminator                                                                              |
| 12| REFUSAL           | see `refusal`                                                                              |
| 13| CUT_SHORT         | `finish_reason` is `length`: before 14 and 15, since half an answer is invalid as well     |
| 14| INVALID_TOOL_CALL | the `tool_args` validator is below the gate                                                |
| 15| INVALID_OUTPUT    | another validator is                                                                       |
| 16| TOO_SLOW          | the latency is above the budget                                                            |
| 17| TOO_DEAR          | the cost is above the budget                                                               |

JUDGED_BAD comes later, by feedback, and never from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policies.outcome.answer import Answer
from policies.outcome.classes import FailureClass
from policies.outcome.refusal import refusal_of

Verdict = tuple[FailureClass | None, str]


_NO_CHECKS: Final[Mapping[str, float]] = {}


@dataclass(slots=True, init=False)
class Observed:
    """What was seen of one request."""

    status: int  # the provider's HTTP status; 0 where none came
    transport_error: str | None  # kind of the upstream error
    answer: Answer | None
    latency_ms: float  # to the last byte
    cost_usd: float
    validators: Mapping[str, float]  # name -> 0..1 of those that ran
    client_gone: bool
    fell_open: bool
    fell_back: bool

    def __init__(
        self,
        status: int = 0,
        transport_error: str | None = None,
        answer: Answer | None = None,
        *,
        latency_ms: float = 0.0,
        cost_usd: float = 0.0,
        validators: Mapping[str, float] = _NO_CHECKS,
        client_gone: bool = False,
        fell_open: bool = False,
        fell_back: bool = False,
    ) -> None:
        self.status = status
        self.transport_error = transport_error
        self.answer = answer
        self.latency_ms, self.cost_usd = latency_ms, cost_usd
        self.validators = validators
        self.client_gone = client_gone
        self.fell_open, self.fell_back = fell_open, fell_back


def classify(observed: Observed, *, p95_ms: float, usd_per_request: float, validator_gate: float = 0.9) -> Verdict:
    """The failure class of a request, None for a good answer, and one line of detail.

    Args:
        observed: what was seen.
        p95_ms: the policy's latency budget in milliseconds.
        usd_per_request: the policy's cost budget in US dollars.
        validator_gate: least value of a validator.
    """
    if observed.fell_open or observed.fell_back or observed.client_gone or observed.transport_error is not None:
        return _interrupted(observed, p95_ms)
    if not 200 <= observed.status < 300:
        return _by_status(observed.status)
    found = _by_answer(observed.answer) if observed.answer is not None else None
    if found is None and observed.validators:
        found = _by_validators(observed.validators, validator_gate)
    return found or _by_budgets(observed, p95_ms, usd_per_request)


def _interrupted(observed: Observed, p95_ms: float) -> Verdict:
    if observed.fell_open:
        return FailureClass.FELL_OPEN, "a fault here; the client's own request went up"
    if observed.fell_back:
        return FailureClass.FELL_BACK, "another arm answered"
    if observed.client_gone:
        if observed.latency_ms > p95_ms:
            return FailureClass.TOO_SLOW, f"the client hung up after {observed.latency_ms:.0f} ms"
        return FailureClass.CLIENT_GONE, f"after {observed.latency_ms:.0f} ms"
    kind = FailureClass.CUT_SHORT if observed.status else FailureClass.TRANSPORT
    return kind, observed.transport_error or ""


_STATUSES: Final = {
    401: FailureClass.AUTH,
    403: FailureClass.AUTH,
    429: FailureClass.RATE_LIMITED,
}


def _by_status(status: int) -> Verdict:
    by_range = FailureClass.BAD_REQUEST if 400 <= status < 500 else FailureClass.SERVER_ERROR
    return _STATUSES.get(status, by_range), f"HTTP {status}"


def _by_answer(answer: Answer) -> Verdict | None:
    if answer.error is not None:
        return FailureClass.SERVER_ERROR, answer.error
    if answer.malformed:
        return FailureClass.SERVER_ERROR, "the answer could not be read"
    if not answer.complete:
        return FailureClass.CUT_SHORT, "the stream ended without its terminator"
    refusal = refusal_of(answer)
    if refusal is not None:
        return FailureClass.REFUSAL, refusal
    if answer.finish_reason == "length":
        return FailureClass.CUT_SHORT, f"cut at {answer.output_tokens} tokens"
    return None


def _by_validators(validators: Mapping[str, float], gate: float) -> Verdict | None:
    if validators.get("tool_args", 1.0) < gate:
        return FailureClass.INVALID_TOOL_CALL, "tool_args"
    below = [name for name, value in validators.items() if value < gate]
    return (FailureClass.INVALID_OUTPUT, ", ".join(below)) if below else None


def _by_budgets(observed: Observed, p95_ms: float, usd_per_request: float) -> Verdict:
    if observed.latency_ms > p95_ms:
        return FailureClass.TOO_SLOW, f"{observed.latency_ms:.0f} ms of {p95_ms:.0f}"
    if observed.cost_usd > usd_per_request:
        return FailureClass.TOO_DEAR, f"{observed.cost_usd:.6f} USD of {usd_per_request:.6f}"
    return None, ""
