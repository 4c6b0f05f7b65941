"""Intents are learnt from what was asked, keep their names, and say nothing about what they do not know."""

from collections import Counter

import numpy as np
import pytest

from evolver.intents import STATE, learn
from evolver.intents.learn import first_words, trained_on
from evolver.intents.train import PRECISION, train
from policies.intents import from_json
from tests.evolver.analysis.worlds import FILLER, TOPICS, example, recordings
from tests.evolver.support import POLICY, World, exchange


def asked(seed: int, n: int = 400) -> tuple[list[str], list[str]]:
    """Texts and the topics that they were made of."""
    found = recordings(np.random.default_rng(seed), n, lambda number, topic, rng: {"intent": topic})
    return [one.request_text for one in found], [one.intent for one in found]


def test_topics_are_told_apart_on_texts_that_were_not_seen() -> None:
    trained = trained_on(asked(0)[0], None)
    assert trained is not None
    assert min(trained.coverage, trained.agreement) >= PRECISION
    pairs = Counter((topic, trained.classifier.classify(text)) for text, topic in zip(*asked(1), strict=True))
    names = {topic: name for (topic, name), n in pairs.most_common(len(TOPICS))}
    assert len(set(names.values())) == len(TOPICS)
    assert sum(pairs[topic, name] for topic, name in names.items()) >= 0.95 * sum(pairs.values())
    for topic, name in names.items():
        assert set(name.split("-")) <= set(TOPICS[topic])


def test_strangers_get_no_name() -> None:
    trained = trained_on(asked(0)[0], None)
    assert trained is not None
    rng = np.random.default_rng(2)
    strangers = [
        "",
        "hi",
        "42",
        "サッカーの試合はいつですか",
        *(" ".join(rng.choice(FILLER[200:], 12)) for _ in range(50)),
    ]
    named = [text for text in strangers if trained.classifier.classify(text)]
    assert len(named) <= 2


def test_the_same_texts_in_any_order_give_the_same_classifier() -> None:
    texts, _ = asked(3)
    one, other = trained_on(texts, None), trained_on(texts[::-1], None)
    assert one is not None
    assert other is not None
    assert one.classifier.version == other.classifier.version


def test_names_stay_when_traffic_changes_and_a_new_topic_gets_its_own() -> None:
    texts, topics = asked(4, 600)
    without = [text for text, topic in zip(texts, topics, strict=True) if topic != "weather"]
    old = trained_on(without, None)
    assert old is not None
    new = trained_on(asked(5, 600)[0], old.classifier)
    assert new is not None
    assert set(old.classifier.names) < set(new.classifier.names)
    (fresh,) = set(new.classifier.names) - set(old.classifier.names)
    assert set(fresh.split("-")) <= set(TOPICS["weather"])
    weather = Counter(
        new.classifier.classify(text) for text, topic in zip(texts, topics, strict=True) if topic == "weather"
    )
    assert weather.most_common(1)[0][0] == fresh


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["one"],
        ["the same every time"] * 300,
        ["", " ", "?"] * 100,
        ["12345 67890"] * 50 + ["日本語のテキスト"] * 50,
        ["".join(map(chr, range(0xD7A0, 0xD7FF)))] * 60,
    ],
)
def test_texts_without_groups_give_no_classifier(texts: list[str]) -> None:
    assert trained_on(texts, None) is None


def test_random_text_gives_no_classifier() -> None:
    rng = np.random.default_rng(6)
    assert trained_on([" ".join(rng.choice(FILLER, 20)) for _ in range(400)], None) is None


def test_labels_that_the_words_do_not_explain_give_no_classifier() -> None:
    texts, _ = asked(7, 300)
    labels = np.random.default_rng(8).integers(0, 2, len(texts)).tolist()
    assert train(texts, labels, ["a", "b"]) is None


def test_each_conversation_counts_once_and_by_its_first_words() -> None:
    turns = [example(1, "first", unit="u"), example(2, "no, I meant", unit="u", turn=2), example(3, " ", unit="v")]
    assert first_words(turns) == ["first"]


async def test_what_is_learnt_is_published_once_and_stays_through_quiet_traffic(world: World) -> None:
    texts, _ = asked(9, 300)
    await world.record(frame for number, text in enumerate(texts) for frame in exchange(number, text=text))
    said = await learn(POLICY, await world.store.examples(POLICY), world.context())
    assert "4 intents" in said
    stored = await world.registry.state(STATE.format(POLICY))
    assert from_json(stored).version == stored["version"]
    assert stored["measured"]["coverage"] > 0.9
    before = await world.registry.changed()
    assert "nothing new" in await learn(POLICY, await world.store.examples(POLICY), world.context())
    assert "no intents" in await learn(POLICY, [], world.context())
    assert await world.registry.changed() == before
    (note,) = [note for note in await world.registry.notes(POLICY) if note.action == "intents"]
    assert note.subject == stored["version"]


async def test_a_broken_classifier_is_replaced(world: World) -> None:
    await world.registry.set_state(STATE.format(POLICY), {"version": "x", "weights": "broken"})
    texts, _ = asked(9, 300)
    await world.record(frame for number, text in enumerate(texts) for frame in exchange(number, text=text))
    await learn(POLICY, await world.store.examples(POLICY), world.context())
    assert len(from_json(await world.registry.state(STATE.format(POLICY))).names) == len(TOPICS)
