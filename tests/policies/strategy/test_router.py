"""The router: its terms, what it learns, and its bounds."""

import contextlib
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.strategy.features import DIMENSIONS, features
from policies.strategy.lore import Lore
from policies.strategy.router import Choice, Router, Weights

CHOICES = (Choice("small", 0.2, 0.1, 0.4), Choice("large", 0.9, 2.0, 8.0, context_tokens=1000, tools=False))
ONLY_SIMILAR = Weights(1.0, 0.0, 0.0, 0.0, 0.0)


def taught(*outcomes: tuple[str, str, float]) -> Router:
    router = Router(CHOICES)
    for key, text, quality in outcomes:
        router.learn(key, features(text), quality, ms=10.0, tokens=20)
    return router


@given(st.text(max_size=300))
def test_features_are_a_unit_vector_or_nothing(text: str) -> None:
    vector = features(text)
    assert vector.shape == (DIMENSIONS,)
    assert float(vector @ vector) == pytest.approx(1.0, abs=1e-4) or not vector.any()


def test_each_kind_of_request_goes_to_who_did_it_well() -> None:
    sums, poems = "add these numbers exactly please", "write verses about autumn leaves"
    router = taught(*[("small", sums, 1.0), ("small", poems, 0.0), ("large", sums, 0.0), ("large", poems, 1.0)] * 5)
    assert router.route(sums, 10, (0, 1), ONLY_SIMILAR).key == "small"
    assert router.route(poems, 10, (0, 1), ONLY_SIMILAR).key == "large"


def test_what_is_unknown_stands_in_the_middle() -> None:
    terms = taught(("small", "other words entirely", 0.0)).route("hello there friend", 10, (0, 1), Weights()).terms
    assert terms["large"][0] == 0.5
    assert terms["small"][2] == terms["large"][2] == 0.5


def test_ratings_move_only_by_comparable_requests() -> None:
    apart = taught(("small", "one kind of question", 0.0), ("large", "wholly different thing", 1.0))
    alike = taught(*[("small", "one kind of question", 0.0), ("large", "one kind of question", 1.0)] * 3)
    assert apart.route("x", 1, (0, 1), Weights()).terms["large"][2] == 0.5
    terms = alike.route("x", 1, (0, 1), Weights()).terms
    assert terms["large"][2] > 0.5 > terms["small"][2]


@given(st.lists(st.tuples(st.sampled_from(["small", "large"]), st.floats(0, 1), st.floats(0, 1e4)), max_size=30))
def test_terms_stay_within_their_bounds_and_add_up(outcomes: list[tuple[str, float, float]]) -> None:
    router = Router(CHOICES)
    for key, quality, ms in outcomes:
        router.learn(key, features(f"question about {key}"), quality, ms=ms, tokens=5)
    weights = Weights(1.0, 0.5, 0.4, 0.3, 0.2)
    routing = router.route("question about prices", 100, (0, 1), weights)
    for similarity, capability, rating, cost, latency, score in routing.terms.values():
        assert all(0.0 <= term <= 1.0 for term in (similarity, capability, rating, cost, latency))
        assert score == pytest.approx(similarity + 0.5 * capability + 0.4 * rating - 0.3 * cost - 0.2 * latency)
    assert routing.key == max(routing.terms, key=lambda key: routing.terms[key][-1])


def test_only_the_eligible_are_chosen() -> None:
    assert Router(CHOICES).route("x", 1, (1,), Weights(cost=2.0)).key == "large"
    assert not CHOICES[1].fits(1001, tools=False)
    assert not CHOICES[1].fits(10, tools=True)
    assert CHOICES[0].fits(10**9, tools=True)


def test_old_requests_make_room() -> None:
    router = Router([Choice(f"m{number}", 0.5, 1.0, 1.0) for number in range(10)])
    for _ in range(400):
        router.learn("m0", features("the same question"), 0.0, ms=1.0, tokens=1)
    for _ in range(256):
        router.learn("m0", features("the same question"), 1.0, ms=1.0, tokens=1)
    found = router.route("the same question", 1, range(10), ONLY_SIMILAR)
    assert found.key == "m0"
    assert found.terms["m0"][0] > 0.9
    assert np.isfinite([x for terms in found.terms.values() for x in terms]).all()


QUESTION = "add these numbers exactly please"


def test_a_later_word_revises_what_was_learnt() -> None:
    router = Router(CHOICES)
    for key, request_id in (("small", "a"), ("large", "b")):
        router.learn(key, features(QUESTION), 1.0, ms=10.0, tokens=20, request_id=request_id)
    before = router.route(QUESTION, 10, (0, 1), Weights()).terms["small"]
    assert router.revise("a", 0.0)
    after = router.route(QUESTION, 10, (0, 1), Weights()).terms["small"]
    assert after[0] < before[0], "the neighbour did badly after all"
    assert after[2] < before[2], "and so the rating falls"
    router.revise("a", 0.0)
    assert router.route(QUESTION, 10, (0, 1), Weights()).terms["small"] == after, "said twice counts once"
    assert not router.revise("nobody", 0.0)


def test_what_is_overwritten_can_not_be_revised() -> None:
    router = Router(CHOICES)
    for number in range(3_000):
        router.learn("small", features(QUESTION), 1.0, ms=10.0, tokens=20, request_id=str(number))
    assert not router.revise("0", 0.0)
    assert router.revise("2999", 0.0)


def test_what_was_learnt_survives_as_json() -> None:
    router = taught(("small", QUESTION, 1.0), ("large", QUESTION, 0.0), ("large", "write verses", 1.0))
    heir = Router(CHOICES)
    heir.take(Lore.from_json(orjson.loads(orjson.dumps(router.lore().to_json()))), own=True)
    for text in (QUESTION, "write verses", "nothing like it"):
        was, now = (each.route(text, 10, (0, 1), Weights()) for each in (router, heir))
        assert now.key == was.key
        for key in was.terms:
            assert now.terms[key] == pytest.approx(was.terms[key], abs=0.02)
    assert orjson.dumps(heir.lore().to_json()) == orjson.dumps(router.lore().to_json()), "and is told on unchanged"


def test_what_others_know_counts_once_and_is_not_told_on() -> None:
    router, other = taught(("small", QUESTION, 0.0)), Router(CHOICES)
    other.learn("large", features(QUESTION), 1.0, ms=10.0, tokens=20, request_id="b")
    first = other.lore()
    router.take(first)
    knows = router.route(QUESTION, 10, (0, 1), ONLY_SIMILAR)
    assert knows.key == "large"
    other.learn("large", features("write verses"), 1.0, ms=10.0, tokens=20, request_id="c")
    other.revise("b", 0.0)
    router.take(other.lore(), first)
    assert router.route(QUESTION, 10, (0, 1), ONLY_SIMILAR).terms["large"][0] < knows.terms["large"][0]
    large = next(known for known in router.lore().models if known.key == "large")
    assert large.ids == ()
    assert large.moved == 0.0


def test_what_is_known_of_a_model_that_is_gone_is_left() -> None:
    heir = Router((CHOICES[0], Choice("new", 0.5, 1.0, 1.0)))
    heir.take(taught(("small", QUESTION, 1.0), ("large", QUESTION, 0.0)).lore(), own=True)
    assert set(heir.route(QUESTION, 10, (0, 1), Weights()).terms) == {"small", "new"}


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["models", "key", "moved", "ms", "tokens", "ids", "quality", "vectors"]), inner)))  # fmt: skip
def test_lore_that_can_not_be_read_is_one_error(stored: Any) -> None:
    with contextlib.suppress(ValueError):
        Lore.from_json(stored)
