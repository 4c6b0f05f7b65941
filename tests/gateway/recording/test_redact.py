"""Redaction: nothing that matches is left, nothing else changes, and JSON stays JSON."""

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recording import Redactor
from policies.errors import OperatorError

EMAIL = r"(?P<email>[\w.]+@[\w.]+\w)"
CARD = r"\b\d{16}\b"
KEY = b"k" * 32
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def redacted(value: Any, *patterns: str, key: bytes = KEY) -> Any:
    return orjson.loads(Redactor(patterns, key)(orjson.dumps(value)))


def test_without_patterns_it_is_the_same_object() -> None:
    data = b'{"a": "b@c.de"}'
    assert Redactor([], KEY)(data) is data


def test_what_matches_becomes_a_typed_placeholder() -> None:
    out = redacted({"content": "write to ada@example.org now", "n": [4111111111111111, 12]}, EMAIL, CARD)
    assert re.fullmatch(r"write to \[redacted:email:[0-9a-f]{12}\] now", out["content"])
    assert re.fullmatch(r"\[redacted:p2:[0-9a-f]{12}\]", out["n"][0])
    assert out["n"][1] == 12


def test_only_the_named_group_is_replaced() -> None:
    out = redacted("user=ada password=hunter2; ok", r"password=(?P<password>[^;]+)(;|$)")
    assert re.fullmatch(r"user=ada password=\[redacted:password:[0-9a-f]{12}\]; ok", out)


def test_the_group_that_matched_gives_the_type() -> None:
    first, second = redacted(["a@b.c", "555-1234"], r"(?P<email>\S+@\S+)|(?P<phone>\d+-\d+)")
    assert first.startswith("[redacted:email:")
    assert second.startswith("[redacted:phone:")


def test_the_same_value_has_the_same_placeholder_under_one_key() -> None:
    one, two, other = redacted(["ada@example.org", "x ada@example.org", "bob@example.org"], EMAIL)
    assert two == f"x {one}"
    assert other != one
    assert redacted(["ada@example.org"], EMAIL, key=b"another")[0] != one


def test_names_of_members_are_redacted_too() -> None:
    assert "ada@example.org" not in json.dumps(redacted({"ada@example.org": {"bob@example.org": 1}}, EMAIL))


def test_escapes_are_resolved_before_matching() -> None:
    for written in (rb'"ada\u0040example.org"', rb'"say \"ada@example.org\"\n"', rb'"\ud83d\ude42 ada@example.org"'):
        out = Redactor([EMAIL], KEY)(written)
        assert re.search("ada.?.?.?.?.?.?example", out.decode()) is None
        assert "[redacted:email:" in orjson.loads(out)


def test_a_lone_surrogate_does_not_stop_it() -> None:
    out = Redactor([EMAIL], KEY)(rb'{"a": "\ud800 ada@example.org"}')
    assert json.loads(out)["a"].startswith("\ud800 [redacted:email:")


def test_all_else_stays_as_it_was_byte_by_byte() -> None:
    data = b'{ "a" :1.0e5,  "b":"\\u00e9\\/" , "c":"ada@example.org","big":123456789012345678901234567890 }\n'
    out = Redactor([EMAIL], KEY)(data)
    before, _, after = data.partition(b"ada@example.org")
    assert out.startswith(before)
    assert out.endswith(after)


def test_placeholders_are_not_redacted_again() -> None:
    redactor = Redactor([EMAIL, r"\w+"], KEY)
    once = redactor(b'"ada@example.org and more"')
    assert b"[redacted:email:" in once
    assert redactor(once) == once


@given(json_values, st.sampled_from([r"\d", r".+", r"[a-z]*", r"(?i)A|0", r"\S+", r'[":,{}\[\]\\]', r"^", r"(?s).*"]))
def test_json_stays_json_of_the_same_shape(value: Any, pattern: str) -> None:
    out = json.loads(Redactor([pattern], KEY)(json.dumps(value).encode()))
    assert _shape(out) == _shape(value)


@given(st.lists(st.text(alphabet='a1-é\\" \n', max_size=12), max_size=6))
def test_nothing_that_matches_is_left(texts: list[str]) -> None:
    for ascii_only in (True, False):
        out = Redactor([r"1+"], KEY)(json.dumps(texts, ensure_ascii=ascii_only).encode())
        for text in json.loads(out):
            assert "1" not in re.sub(r"\[redacted:p1:[0-9a-f]{12}\]", "", text)


def test_a_pattern_that_does_not_compile_is_named() -> None:
    with pytest.raises(OperatorError, match=r"recording.redact: pattern 2 \('\('\) does not compile"):
        Redactor([EMAIL, "("], KEY)


def _shape(value: Any) -> Any:
    """Containers and constants; text and numbers are all alike, names of members are left out."""
    if isinstance(value, dict):
        return len(value), [_shape(inner) for inner in value.values()]
    if isinstance(value, list):
        return [_shape(inner) for inner in value]
    return value if value is None or isinstance(value, bool) else "literal"
