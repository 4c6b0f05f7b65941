"""Classifiers: any text has an answer or none, and what is stored comes back as it was."""

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.intents import BUCKETS, Classifier, features, from_json, to_json
from policies.intents.classifier import ROWS


def taught(*words: str, threshold: float = 0.05) -> Classifier:
    """One intent a word."""
    weights = np.zeros((ROWS, len(words)), dtype=np.int8)
    for column, word in enumerate(words):
        np.add.at(weights[:, column], features(word), 40)
    return Classifier(tuple(words), threshold, (0.01,) * len(words), weights)


@given(st.text())
def test_any_text_has_features_within_the_table(text: str) -> None:
    rows = features(text)
    assert rows.dtype == np.intp
    assert not len(rows) or (rows.min() >= 0 and rows.max() < 2 * BUCKETS)
    assert np.array_equal(rows, features(text))
    assert taught("invoice", "weather").classify(text) in {"", "invoice", "weather"}


def test_a_text_gets_the_name_that_it_is_like_and_none_where_it_is_like_nothing() -> None:
    known = taught("invoice", "weather")
    assert known.classify("Look at my INVOICE, please") == "invoice"
    assert known.classify("what will the weather be like") == "weather"
    assert [known.classify(text) for text in ("", "?", "football", "サッカー")] == [""] * 4


def test_it_comes_back_from_the_registry_as_it_was() -> None:
    known = taught("invoice", "weather")
    back = from_json(orjson.loads(orjson.dumps(to_json(known))))
    assert back.version == known.version
    assert np.array_equal(back.scores("my invoice"), known.scores("my invoice"))
    assert len(orjson.dumps(to_json(taught(*[f"w{i}" for i in range(16)])))) < 180_000


def broken(**changes: Any) -> dict[str, Any]:
    return {**to_json(taught("invoice", "weather")), **changes}


@pytest.mark.parametrize(
    "value",
    [
        {},
        broken(weights="AAAA"),
        broken(weights=None),
        broken(threshold=0.9),
        broken(names=["weather", "invoice"]),
        broken(names=["a"]),
        broken(names=["same", "same"]),
        broken(names=[1, 2]),
        broken(scales=[1.0]),
        broken(version="0" * 16),
    ],
)
def test_what_is_not_whole_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="intent classifier"):
        from_json(value)
