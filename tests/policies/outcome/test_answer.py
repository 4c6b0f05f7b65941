from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.outcome import Answer, cost, read_answer
from tests.policies.shapes import json_values

FULL = {
    "model": "m-1",
    "choices": [
        {
            "index": 0,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": "let me see",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a":1}'}},
                    {"id": "c2", "type": "custom", "custom": {"name": "sql", "input": "select 1"}},
                ],
            },
        },
        {"index": 1, "finish_reason": "stop", "message": {"content": "another"}},
    ],
    "usage": {"prompt_tokens": 100, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 60}},
}


def test_the_first_choice_is_read() -> None:
    assert read_answer(orjson.dumps(FULL)) == Answer(
        text="let me see",
        tool_calls=[{"id": "c1", "name": "find", "arguments": '{"a":1}'}],
        finish_reason="tool_calls",
        model="m-1",
        input_tokens=100,
        cached_tokens=60,
        output_tokens=7,
        has_usage=True,
        complete=True,
    )


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"null", b"{}", b'{"choices": []}', b'{"choices": [{}]}'])
def test_what_is_no_completion_is_malformed(body: bytes) -> None:
    answer = read_answer(body)
    assert answer.malformed == 1
    assert not answer.complete


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ({"message": "too\n many", "code": 1}, "too many"),
        ({"code": "rate_limit"}, "rate_limit"),
        ("busy", "busy"),
        ({"x": 1}, "{'x': 1}"),
        ({"message": "x" * 1_000}, "x" * 300),
    ],
)
def test_errors_are_one_bounded_line(error: Any, line: str) -> None:
    answer = read_answer(orjson.dumps({"error": error}))
    assert answer.error == line
    assert not answer.complete


def test_a_refusal_field() -> None:
    body = {"choices": [{"message": {"content": None, "refusal": "I can't"}, "finish_reason": "stop"}]}
    assert read_answer(orjson.dumps(body)).refusal == "I can't"


@given(json_values() | st.fixed_dictionaries({}, optional={name: json_values() for name in FULL}))
def test_odd_json_never_raises(value: Any) -> None:
    answer = read_answer(orjson.dumps(value))
    assert answer.input_tokens >= answer.cached_tokens >= 0
    assert answer.complete + bool(answer.malformed) + (answer.error is not None) == 1


@given(st.binary(max_size=40))
def test_odd_bytes_never_raise(body: bytes) -> None:
    read_answer(body)


@pytest.mark.parametrize(
    ("cached_price", "expected"),
    [(0.5, 40 * 2e-6 + 60 * 0.5e-6 + 7 * 8e-6), (None, 100 * 2e-6 + 7 * 8e-6), (0.0, 40 * 2e-6 + 7 * 8e-6)],
)
def test_cost_counts_cached_tokens_apart(cached_price: float | None, expected: float) -> None:
    assert cost(read_answer(orjson.dumps(FULL)), 2.0, cached_price, 8.0) == pytest.approx(expected)
    assert cost(Answer(), 2.0, cached_price, 8.0) == 0
