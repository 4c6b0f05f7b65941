"""Ranking is Okapi BM25 over the rarest words, whatever the order of the entries; cut-off, budget and tenants hold."""

import math
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.genome import MemoryLayer
from policies.memory import Entry, Index, snapshot_hash

ENTRIES = [
    Entry("refund", "Refunds are paid within 14 days."),
    Entry("shipping", "Shipping to Norway takes 5 days."),
    Entry("hours", "The shop is open from 9 to 5.", topics=("opening", "weekend")),
]


def ids(found: list[tuple[Entry, float]]) -> list[str]:
    return [entry.id for entry, _ in found]


def test_the_entry_that_shares_the_rarest_words_comes_first() -> None:
    index = Index(ENTRIES)
    assert ids(index.top("How many days does shipping to NORWAY take?", 3)) == ["shipping", "refund", "hours"]
    assert ids(index.top("are you open at the weekend?", 1)) == ["hours"]
    assert index.top("quantum", 3) == []
    assert index.top("days", 0) == []
    assert Index([]).top("days", 3) == []


def test_topics_find_an_entry() -> None:
    assert ids(Index(ENTRIES).top("weekend", 1)) == ["hours"]


def test_the_token_budget_passes_over_what_does_not_fit() -> None:
    index = Index([Entry("long", "norway " * 100), Entry("short", "norway and sweden")])
    assert ids(index.top("norway", 2)) == ["long", "short"]
    assert ids(index.top("norway", 2, token_budget=10)) == ["short"]
    assert index.top("norway", 2, token_budget=0) == []


def test_only_the_rarest_sixteen_words_of_a_query_count() -> None:
    rare = [f"rare{number:02}" for number in range(16)]
    entries = [Entry(word, f"{word} common") for word in rare]
    index = Index([*entries, Entry("common", "common")])
    found = index.top(" ".join(["common", *rare]), 20)
    assert ids(found) == rare  # "common" alone would have found one more


WORDS = st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon"])
TEXTS = st.lists(WORDS, min_size=1, max_size=8).map(" ".join)


@given(st.lists(TEXTS, min_size=1, max_size=8), TEXTS)
def test_scores_are_okapi_bm25(texts: list[str], query: str) -> None:
    entries = [Entry(f"e{number}", text) for number, text in enumerate(texts)]
    found = {entry.id: score for entry, score in Index(entries).top(query, len(texts))}
    words = [re.findall(r"\w+", text) for text in texts]
    average = sum(map(len, words)) / len(words)
    for entry, own in zip(entries, words, strict=True):
        score = 0.0
        for word in set(query.split()):
            holding = sum(word in other for other in words)
            idf = math.log(1 + (len(words) - holding + 0.5) / (holding + 0.5))
            count = Counter(own)[word]
            score += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(own) / average))
        assert found.get(entry.id, 0.0) == pytest.approx(score)


@given(st.permutations(ENTRIES), st.text(max_size=40))
def test_the_order_of_entries_never_matters(entries: list[Entry], query: str) -> None:
    assert Index(entries).top(query, 3) == Index(ENTRIES).top(query, 3)
    assert snapshot_hash(entries) == snapshot_hash(ENTRIES)


def test_the_hash_names_the_content() -> None:
    digest = snapshot_hash(ENTRIES)
    assert MemoryLayer(snapshot=digest).snapshot == digest
    changed = [
        ENTRIES[:2],
        [Entry("refunds", ENTRIES[0].text), *ENTRIES[1:]],
        [Entry("refund", "x"), *ENTRIES[1:]],
        [Entry("refund", ENTRIES[0].text, topics=("money",)), *ENTRIES[1:]],
        [Entry("refund", ENTRIES[0].text, answer="money"), *ENTRIES[1:]],
        [Entry("refund", ENTRIES[0].text, namespace="money"), *ENTRIES[1:]],
    ]
    assert len({digest, *map(snapshot_hash, changed)}) == 7


def test_the_hash_of_plain_entries_is_what_it_always_was() -> None:
    assert snapshot_hash(ENTRIES) == "79216e58db51af334447aedc338ca3ae"
    assert snapshot_hash([]) == "7ebb3c7c2a87b1a2f8a7ed729ecb040d"


def test_state_and_sources_are_in_no_hash_but_what_is_not_active_is_not_served() -> None:
    first, *others = ENTRIES
    assert snapshot_hash([replace(first, sources=("r1",)), *others]) == snapshot_hash(ENTRIES)
    assert snapshot_hash([replace(first, state="deprecated"), *others]) == snapshot_hash(others)


def test_the_cut_off_leaves_out_what_scores_below_it() -> None:
    index = Index(ENTRIES)
    found = index.top("How many days does shipping to Norway take?", 3)
    best, second = found[0][1], found[1][1]
    assert index.top("How many days does shipping to Norway take?", 3, min_score=second) == found[:2]
    assert index.top("How many days does shipping to Norway take?", 3, min_score=best + 0.01) == []


def test_a_tenant_sees_its_own_entries_and_everybodys() -> None:
    index = Index([
        Entry("all", "days are long"), Entry("acme", "days are short", namespace="acme"),
        Entry("rival", "days are days, days, days", namespace="rival"),
    ])  # fmt: skip
    assert set(ids(index.top("days", 3, namespace="acme"))) == {"all", "acme"}
    assert ids(index.top("days", 1, namespace="rival")) == ["rival"]
    assert ids(index.top("days", 3)) == ids(index.top("days", 3, namespace="unknown")) == ["all"]


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["", "a", "b"])), max_size=120), TEXTS, st.integers(1, 30))
def test_the_best_are_the_best_of_all(texts: list[tuple[str, str]], query: str, k: int) -> None:
    """However few are looked at closely: ranks agree with sorting everything."""
    entries = [Entry(f"e{number:03}", text, namespace=owner) for number, (text, owner) in enumerate(texts)]
    index = Index(entries)
    everything = index.top(query, len(entries) or 1, namespace="a")
    assert index.top(query, k, namespace="a") == everything[:k]
    assert everything == sorted(everything, key=lambda one: (-one[1], one[0].id))
    assert all(entry.namespace in {"", "a"} for entry, _ in everything)


def test_many_that_do_not_fit_are_passed_over() -> None:
    entries = [Entry(f"e{number:03}", "norway " * 50) for number in range(300)]
    index = Index([*entries, Entry("z", "norway and a good many other words")])
    assert ids(index.top("norway", 1, token_budget=10)) == ["z"]


def test_building_pauses_so_that_others_may_run() -> None:
    pauses: list[int] = []
    Index((Entry(f"e{number}", "some words") for number in range(1_000)), lambda: pauses.append(1))
    assert len(pauses) > 1_000 / 50
