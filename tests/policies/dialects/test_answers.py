from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.dialects import CHAT, DIALECTS, MESSAGES, RESPONSES, Dialect, dialect_of
from policies.outcome import FailureClass, Observed, classify
from tests.policies.dialects.wire import MEANINGS, MESSAGE_ITEM, RESPONSE, WHOLE
from tests.policies.shapes import json_values

EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


def failure(dialect: Dialect, body: bytes) -> FailureClass | None:
    observed = Observed(status=200, answer=dialect.read_answer(body))
    return classify(observed, p95_ms=1000, usd_per_request=1)[0]


@EVERY
def test_each_is_found_by_its_path(dialect: Dialect) -> None:
    assert dialect_of(dialect.path) is dialect
    assert dialect_of(dialect.path.encode()) is dialect
    assert dialect_of("/v2/other") is CHAT


@EVERY
def test_an_answer_means_the_same_everywhere(dialect: Dialect) -> None:
    assert dialect.read_answer(WHOLE[dialect.name]) == MEANINGS[dialect.name]


@EVERY
def test_errors_inside_a_200(dialect: Dialect) -> None:
    inside: dict[str, Any] = {"error": {"type": "overloaded_error", "message": "Over\nloaded"}}
    if dialect is MESSAGES:
        inside["type"] = "error"
    answer = dialect.read_answer(orjson.dumps(inside))
    assert answer.error == "Over loaded"
    assert not answer.complete
    assert failure(dialect, orjson.dumps(inside)) is FailureClass.SERVER_ERROR


@EVERY
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"7", b"{}", b'{"model": "m"}'])
def test_what_is_no_answer_is_malformed(dialect: Dialect, body: bytes) -> None:
    answer = dialect.read_answer(body)
    assert answer.malformed == 1
    assert not answer.complete


def message(**fields: Any) -> bytes:
    return orjson.dumps({"type": "message", "content": [{"type": "text", "text": "x"}], **fields})


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", None),
        ("stop_sequence", None),
        ("tool_use", None),
        ("pause_turn", None),
        ("max_tokens", FailureClass.CUT_SHORT),
        ("model_context_window_exceeded", FailureClass.CUT_SHORT),
        ("refusal", FailureClass.REFUSAL),
    ],
)
def test_anthropics_stop_reasons(reason: str, expected: FailureClass | None) -> None:
    assert failure(MESSAGES, message(stop_reason=reason)) is expected


def response(**fields: Any) -> bytes:
    return orjson.dumps({**RESPONSE, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, FailureClass.CUT_SHORT),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, FailureClass.REFUSAL),
        ({"status": "incomplete"}, FailureClass.CUT_SHORT),
        ({"status": "failed", "error": {"code": "server_error", "message": "m"}}, FailureClass.SERVER_ERROR),
        ({"status": "cancelled"}, FailureClass.SERVER_ERROR),
        ({"output": [{**MESSAGE_ITEM, "content": [{"type": "refusal", "refusal": "No."}]}]}, FailureClass.REFUSAL),
    ],
)
def test_how_responses_end(fields: dict[str, Any], expected: FailureClass | None) -> None:
    assert failure(RESPONSES, response(**fields)) is expected


def test_a_response_without_calls_just_stopped() -> None:
    assert RESPONSES.read_answer(response(output=[MESSAGE_ITEM])).finish_reason == "stop"


def test_a_legacy_function_call() -> None:
    call = {"name": "find", "arguments": "{}"}
    choice = {"message": {"content": None, "function_call": call}, "finish_reason": "function_call"}
    answer = CHAT.read_answer(orjson.dumps({"choices": [choice]}))
    assert answer.tool_calls == [{"id": "", **call}]
    assert answer.finish_reason == "tool_calls"


def test_anthropics_cache_is_part_of_what_went_in() -> None:
    usage = {"input_tokens": 3, "cache_read_input_tokens": 90, "output_tokens": 2}
    answer = MESSAGES.read_answer(message(usage=usage))
    assert (answer.input_tokens, answer.cached_tokens, answer.output_tokens) == (93, 90, 2)
    assert not MESSAGES.read_answer(message()).has_usage


FIELDS = ("choices", "content", "output", "usage", "error", "model", "status", "type", "stop_reason", "id")


@EVERY
@given(value=json_values() | st.fixed_dictionaries({}, optional={name: json_values() for name in FIELDS}))
def test_odd_json_never_raises(dialect: Dialect, value: Any) -> None:
    answer = dialect.read_answer(orjson.dumps(value))
    assert answer.input_tokens >= answer.cached_tokens >= 0
    assert answer.complete + bool(answer.malformed) + (answer.error is not None) == 1
    assert replace(answer) == answer
