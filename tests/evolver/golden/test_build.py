"""Golden sets: disjoint under conversations and near-duplicates, nothing leaked, anchors kept, parted alike again."""

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evolver.golden import SPLITS, Golden, Item, build, collect
from evolver.golden.build import SHARES
from evolver.golden.similar import resemblance, shingles, similar_pairs
from tests.evolver.analysis.worlds import example

WORDS = [f"word{i}" for i in range(400)]


def item(number: int, question: str | None = None, **changes: object) -> Item:
    text = question if question is not None else " ".join(Random(number).sample(WORDS, 12))
    message = {"role": "user", "content": text}
    made = Item(f"e{number}", f"c{number}", float(number), (message,), f"right answer {number}", 1.0, "recorded")
    return replace(made, **changes)  # type: ignore[arg-type]


def split_of(golden: Golden) -> dict[str, str]:
    return {one.id: split for split in SPLITS for one in golden.splits[split]}


def near(text: str, rng: Random, changes: int) -> str:
    found = text.split()
    for _ in range(changes):
        found[rng.randrange(len(found))] = rng.choice(WORDS)
    return " ".join(found)


def test_the_shares_are_as_promised() -> None:
    golden = build([item(n) for n in range(2_000)])
    for split, share in SHARES.items():
        low, high = stats.binom.interval(0.999, 2_000, share)
        assert low <= len(golden.splits[split]) <= high


def test_the_same_items_are_parted_alike_when_others_come() -> None:
    few = split_of(build([item(n) for n in range(200)]))
    many = split_of(build([item(n) for n in range(400)]))
    assert few.items() <= many.items()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1_000), n=st.integers(2, 60))
def test_splits_share_no_conversation_and_no_near_duplicate(seed: int, n: int) -> None:
    rng = Random(seed)
    items: list[Item] = []
    for number in range(n):
        if items and rng.random() < 0.4:
            old = rng.choice(items)
            text = near(old.question, rng, rng.randrange(4))
        else:
            text = " ".join(rng.sample(WORDS, 20))
        items.append(item(number, text, conversation=f"c{rng.randrange(n)}", anchor=rng.random() < 0.05))
    golden = build(items)
    kept = [(one, split) for split in SPLITS for one in golden.splits[split]]
    assert len({one.id for one, _ in kept}) == len(kept) == n - golden.duplicates
    for place, (one, here) in enumerate(kept):
        for other, there in kept[place + 1 :]:
            if here != there:
                assert one.conversation != other.conversation
                assert resemblance(shingles(one.question), shingles(other.question)) < 0.6


def test_of_near_duplicates_the_surer_one_stays() -> None:
    text = " ".join(WORDS[:30])
    items = [
        item(1, text, quality=0.9),
        item(2, text + " please", quality=1.0),
        item(3, text, source="hand", quality=0.5),
    ]
    golden = build(items)
    assert golden.duplicates == 2
    assert set(split_of(golden)) == {"e3"}


def test_an_anchor_is_never_dropped_and_takes_its_kin_along() -> None:
    text = " ".join(WORDS[:30])
    golden = build([item(1, text, source="hand"), item(2, text, anchor=True), item(3, near(text, Random(1), 2))])
    assert {"e1", "e2"} <= set(split_of(golden))
    assert set(split_of(golden).values()) == {"anchors"}


@pytest.mark.parametrize("text", ["question", "expected"])
def test_what_a_prompt_quotes_may_only_train(text: str) -> None:
    items = [item(n, expected=" ".join(Random(-n).sample(WORDS, 10))) for n in range(1, 300)]
    away = next(name for name, split in split_of(build(items)).items() if split == "test")
    leaked = next(one for one in items if one.id == away)
    rule = f"For example: {getattr(leaked, text).upper()}, and so on."
    golden = build(items, known=["Be kind.", rule])
    assert golden.leaked == (away,)
    assert split_of(golden)[away] == "train"
    assert Counter(split_of(golden).values())["test"] > 0


def test_the_limit_keeps_the_newest_recorded_and_all_hand_written() -> None:
    items = [*(item(n) for n in range(50)), *(item(n, source="hand") for n in range(100, 110))]
    found = set(split_of(build(items, limit=5)))
    assert found == {f"e{n}" for n in (*range(45, 50), *range(100, 110))}


def test_empty_recordings_give_empty_splits() -> None:
    assert build([]).facts() == {"train": 0, "validation": 0, "test": 0, "anchors": 0} | {
        "duplicates": 0,
        "leaked": [],
        "left_out": {},
    }


def test_minhash_finds_what_comparing_all_finds() -> None:
    rng = Random(4)
    texts = [" ".join(rng.sample(WORDS, 25)) for _ in range(150)]
    texts += [near(rng.choice(texts), rng, 2) for _ in range(150)]
    sets = [shingles(text) for text in texts]
    close = {(i, j) for j in range(300) for i in range(j) if resemblance(sets[i], sets[j]) >= 0.6}
    assert len(close) > 50
    assert {(i, j) for i, j, _ in similar_pairs(texts, 0.6)} == close


def test_many_alike_hang_together_in_linear_time() -> None:
    pairs = list(similar_pairs(["the very same question again and again"] * 3_000, 0.6))
    assert {later for _, later, _ in pairs} == set(range(1, 3_000))
    assert len(pairs) <= 3_000 * 16


@pytest.mark.parametrize("text", ["", "?", "one", "你好", "\u202e"])
def test_odd_texts_have_shingles(text: str) -> None:
    assert list(similar_pairs([text, text], 0.6)) == [(0, 1, 1.0)]


def test_what_is_known_to_be_right_is_collected() -> None:
    chat = {"path": "/v1/chat/completions"}
    examples = [
        example(1, score=1.0, **chat),
        example(2, correction="no: 7", corrected=True, **chat),
        example(3, reward=0.95, **chat),
        example(4, reward=0.5, **chat),
        example(5, failure="refusal", **chat),
        example(6, score=1.0, path="/v1/responses"),
        example(7, **chat),
    ]
    items, left_out = collect(examples, min_quality=0.9)
    assert [(one.id, one.expected, one.quality) for one in items] == [
        ("e1", "fine", 1.0),
        ("e2", "no: 7", 1.0),
        ("e3", "fine", 0.95),
    ]
    assert left_out == {
        "below the quality asked for": 2,
        "no answer known to be right": 1,
        "not a chat completion": 1,
    }


def test_signatures_do_not_depend_on_the_process() -> None:
    from evolver.golden.similar import _signature

    assert int(np.bitwise_xor.reduce(_signature(shingles("a b c d e f")))) == int(
        np.bitwise_xor.reduce(_signature(frozenset(shingles("A b, c d: e f"))))
    )
