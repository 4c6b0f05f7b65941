"""Groups follow what requests are about; structureless text stays one group."""

import time

import numpy as np
import pytest

from evolver.analysis import cluster
from tests.evolver.analysis.worlds import FILLER, TOPICS, recordings


def test_planted_topics_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    examples = recordings(rng, 400, lambda number, topic, rng: {"intent": topic})
    topics = [one.intent for one in examples]
    groups = cluster([one.request_text for one in examples], rng=rng)
    assert len(groups) == len(TOPICS)
    for group in groups:
        names = [topics[i] for i in group.members]
        name = max(set(names), key=names.count)
        assert names.count(name) / len(names) > 0.95
        assert set(group.terms[:4]) <= set(TOPICS[name])


def test_groups_are_a_partition() -> None:
    rng = np.random.default_rng(1)
    texts = [one.request_text for one in recordings(rng, 300, lambda *_: {})]
    members = [i for group in cluster(texts, rng=rng) for i in group.members]
    assert sorted(members) == list(range(300))


def test_text_without_structure_is_one_group() -> None:
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(FILLER, 20)) for _ in range(400)]
    assert len(cluster(texts, rng=rng)) == 1


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["one text"],
        ["same words here"] * 50,
        ["", "", ""],
        ["123 456", "789"],
        ["日本語のテキスト"] * 3,
        ["a b"] * 30 + ["word"],
    ],
)
def test_degenerate_texts(texts: list[str]) -> None:
    groups = cluster(texts, rng=np.random.default_rng(3))
    assert sorted(i for group in groups for i in group.members) == list(range(len(texts)))


def test_the_same_seed_gives_the_same_groups() -> None:
    texts = [one.request_text for one in recordings(np.random.default_rng(4), 300, lambda *_: {})]
    assert cluster(texts, rng=np.random.default_rng(9)) == cluster(texts, rng=np.random.default_rng(9))


def test_five_thousand_texts_take_less_than_two_seconds_of_one_core() -> None:
    rng = np.random.default_rng(6)
    texts = [one.request_text * 8 for one in recordings(rng, 5000, lambda *_: {})]
    began = time.thread_time()
    cluster(texts, rng=rng)
    assert time.thread_time() - began < 2.0
