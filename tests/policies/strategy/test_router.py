"""The router: its terms, what it learns, and its bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.strategy.features import DIMENSIONS, features
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
