"""Client bodies of every shape, the odd ones included."""

from typing import Any

from hypothesis import strategies as st

# What orjson.loads can give: no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ROLES = st.sampled_from(["system", "developer", "user", "assistant", "tool"])


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
        max_leaves=6,
    )


def messages() -> st.SearchStrategy[Any]:
    content = (
        TEXT | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}), max_size=2) | json_values()
    )
    message = st.fixed_dictionaries({"role": ROLES}, optional={"content": content, "name": TEXT})
    return st.lists(message | st.dictionaries(TEXT, json_values(), max_size=2) | json_values(), max_size=5)


def odd_bodies() -> st.SearchStrategy[dict[str, Any]]:
    known = {
        "messages": messages() | json_values(),
        "model": TEXT | json_values(),
        "user": json_values(),
        "tools": json_values(),
        "temperature": json_values(),
        "max_tokens": json_values(),
        "max_completion_tokens": json_values(),
        "stream": st.booleans() | json_values(),
        "stream_options": json_values() | st.fixed_dictionaries({"include_usage": json_values()}),
    }
    return st.fixed_dictionaries({}, optional=known).flatmap(
        lambda body: st.dictionaries(TEXT, json_values(), max_size=2).map(lambda more: {**more, **body})
    )
