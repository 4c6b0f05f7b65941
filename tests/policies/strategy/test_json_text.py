"""What texts mean that are nearly JSON: whatever comes in, a JSON value or nothing comes out."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.strategy.json_text import LIMIT, value_in

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
CONTAINERS = st.lists(VALUES, max_size=4) | st.dictionaries(st.text(max_size=5), VALUES, max_size=4)


@given(CONTAINERS)
def test_json_means_itself_whatever_stands_around_it(value: object) -> None:
    text = orjson.dumps(value).decode()
    assert value_in(text) == value
    assert value_in(f"Sure, here it is:\n```json\n{text}\n```\nHope it helps! {{}}") == value


@given(st.text(alphabet="{}[]\"',:\\ \nabu01tn-.", max_size=60))
def test_any_text_gives_a_json_value_or_nothing(text: str) -> None:
    value = value_in(text)
    assert value is None or orjson.loads(orjson.dumps(value)) == value


@given(CONTAINERS, st.integers(0, 200))
def test_a_text_that_breaks_off_keeps_the_container(value: object, at: int) -> None:
    text = orjson.dumps(value).decode()
    assert type(value_in(text[: max(1, at)])) is type(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, "b": [1, 2,],}', {"a": 1, "b": [1, 2]}),
        ("{'a': True, b: None}", {"a": True, "b": None}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ('{"a": "two\nlines", "b": "\\d"}', {"a": "two\nlines", "b": "\\d"}),
        ('{"a": {"b": [1, {"c": "half', {"a": {"b": [1, {"c": "half"}]}}),
        ('{"a": [1, 2}', {"a": [1, 2]}),
        ("{'it\\'s': 'a \"word\"'}", {"it's": 'a "word"'}),
        ("no braces at all", None),
        ("", None),
    ],
)
def test_what_models_get_wrong(text: str, value: object) -> None:
    assert value_in(text) == value


def test_what_is_too_long_or_too_deep_is_left_alone() -> None:
    assert value_in('{"a": "' + "x" * LIMIT + '"}') is None
    assert value_in("[" * 5000) is None
