"""Embeddings as vectors: what a model's answer must be, and when two are alike."""

from typing import Any

import numpy as np
import orjson
import pytest

from policies.vectors import MOST_CHARS, alike, asked, read, unit_rows


def test_rows_come_back_in_the_order_asked_for_and_of_length_one() -> None:
    body = {"data": [{"index": 1, "embedding": [0.0, 3.0]}, {"index": 0, "embedding": [3.0, 4.0]}]}
    rows, tokens = read(body | {"usage": {"prompt_tokens": 7}}, 2)
    assert rows.tolist() == [pytest.approx([0.6, 0.8]), pytest.approx([0.0, 1.0])]
    assert tokens == 7
    assert read(body, 2)[1] == 0


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"data": []},
        {"data": [{"index": 0, "embedding": [1.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [0.0]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": ["x"]}]},
        {"data": [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": [float("nan")]}]},
        {"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": []}]},
        {"data": [{"index": 0, "embedding": 1.0}, {"index": 1, "embedding": 1.0}]},
        {"data": "two"},
    ],
)
def test_whatever_else_comes_is_refused(body: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - numpy words some of them
        read(body, 2)


def test_a_long_text_is_cut_and_an_empty_one_is_a_blank() -> None:
    sent = orjson.loads(asked("m", ["", "x" * (MOST_CHARS + 1)], 64))
    assert sent == {"model": "m", "input": [" ", "x" * MOST_CHARS], "encoding_format": "float", "dimensions": 64}
    assert "dimensions" not in orjson.loads(asked("m", ["a"], None))


def test_alike_are_those_whose_cosine_reaches_the_least() -> None:
    one, other = unit_rows([[1.0, 0.0], [0.8, 0.6]])
    assert alike(one, one, 1.0)
    assert alike(one, other, 0.8)
    assert not alike(one, other, 0.81)
    assert not alike(one, None, 0.0)
    assert not alike(one, np.ones(3, dtype=np.float32), 0.0)  # of another model
