from typing import Any

import pytest

from policies.outcome import Answer, FailureClass, Observed, classify

GOOD = Answer(text="Paris", finish_reason="stop", complete=True)

# In order of precedence: each row is what makes its class hold. The table in the module's docstring.
ROWS: list[tuple[FailureClass, dict[str, Any]]] = [
    (FailureClass.FELL_OPEN, {"fell_open": True}),
    (FailureClass.FELL_BACK, {"fell_back": True}),
    (FailureClass.TOO_SLOW, {"client_gone": True, "latency_ms": 1001.0}),
    (FailureClass.CLIENT_GONE, {"client_gone": True, "latency_ms": 1.0}),
    (FailureClass.CUT_SHORT, {"transport_error": "truncated"}),
    (FailureClass.AUTH, {"status": 401}),
    (FailureClass.SERVER_ERROR, {"answer": Answer(error="overloaded")}),
    (FailureClass.SERVER_ERROR, {"answer": Answer(malformed=1, complete=True)}),
    (FailureClass.CUT_SHORT, {"answer": Answer(text="Par")}),
    (FailureClass.REFUSAL, {"answer": Answer(refusal="no", finish_reason="length", complete=True)}),
    (FailureClass.CUT_SHORT, {"answer": Answer(text="Par", finish_reason="length", complete=True)}),
    (FailureClass.INVALID_TOOL_CALL, {"validators": {"json_schema": 0.0, "tool_args": 0.5}}),
    (FailureClass.INVALID_OUTPUT, {"validators": {"json_schema": 1.0, "regex": 0.0}}),
    (FailureClass.TOO_SLOW, {"latency_ms": 1001.0}),
    (FailureClass.TOO_DEAR, {"cost_usd": 0.011}),
]


def judged(**seen: Any) -> FailureClass | None:
    observed = Observed(**{"status": 200, "answer": GOOD, **seen})
    return classify(observed, p95_ms=1000, usd_per_request=0.01)[0]


@pytest.mark.parametrize(("expected", "seen"), ROWS)
def test_each_class_alone(expected: FailureClass, seen: dict[str, Any]) -> None:
    assert judged(**seen) is expected


@pytest.mark.parametrize("number", range(len(ROWS) - 1))
def test_the_first_row_that_holds_decides(number: int) -> None:
    everything_after: dict[str, Any] = {}
    for _, seen in reversed(ROWS[number:]):
        everything_after |= seen
    assert judged(**everything_after) is ROWS[number][0]


def test_a_good_answer_has_no_class() -> None:
    assert judged() is None
    assert judged(latency_ms=1000, cost_usd=0.01, validators={"regex": 0.9}) is None
    assert judged(status=204, answer=None) is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, FailureClass.BAD_REQUEST),
        (401, FailureClass.AUTH),
        (403, FailureClass.AUTH),
        (404, FailureClass.BAD_REQUEST),
        (413, FailureClass.BAD_REQUEST),
        (422, FailureClass.BAD_REQUEST),
        (429, FailureClass.RATE_LIMITED),
        (500, FailureClass.SERVER_ERROR),
        (503, FailureClass.SERVER_ERROR),
        (302, FailureClass.SERVER_ERROR),
        (0, FailureClass.SERVER_ERROR),
    ],
)
def test_statuses(status: int, expected: FailureClass) -> None:
    assert judged(status=status, answer=None) is expected


def test_a_connection_that_failed_before_the_status_is_transport() -> None:
    assert judged(status=0, transport_error="connect", answer=None) is FailureClass.TRANSPORT


def test_the_detail_says_what_was_seen() -> None:
    observed = Observed(status=200, answer=GOOD, latency_ms=1500)
    assert classify(observed, p95_ms=1000, usd_per_request=1)[1] == "1500 ms of 1000"
    observed = Observed(status=200, answer=GOOD, validators={"regex": 0.0, "json_schema": 0.0})
    assert classify(observed, p95_ms=1000, usd_per_request=1)[1] == "regex, json_schema"


def test_the_gate_of_validators_is_the_policys() -> None:
    observed = Observed(status=200, answer=GOOD, validators={"regex": 0.5})
    assert classify(observed, p95_ms=1, usd_per_request=1, validator_gate=0.5)[0] is None
