import pytest

from policies.evidence.returns import FIRST_PAUSE_S, alpha_of, earlier_trips, pause_s, tries_of


def test_trips_of_the_content_and_of_all_its_ancestors_count() -> None:
    parents = {"child": ["mother", "father"], "mother": ["grandmother"], "grandmother": ["child"]}  # a circle ends, too
    assert earlier_trips("child", parents, []) == 0
    assert earlier_trips("child", parents, ["mother", "grandmother", "stranger"]) == 2
    assert earlier_trips("mother", parents, ["father"]) == 1, "through the circle"
    assert earlier_trips("unknown", parents, ["child"]) == 0
    assert earlier_trips("child", parents, ["child", "child"]) == 1


def test_all_tries_together_spend_at_most_twice_alpha() -> None:
    spent = [alpha_of(0.01, tries) for tries in range(60)]
    assert spent[0] == 0.01
    assert spent[1] == 0.005
    assert sum(spent) == pytest.approx(0.02)


def test_each_pause_is_twice_as_long_up_to_a_day() -> None:
    pauses = [pause_s(tries) for tries in range(20)]
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert max(pauses) < 86_400.0


def test_tries_are_read_from_what_the_canary_noted() -> None:
    assert tries_of({}) == 0
    assert tries_of({"canary": {"tries": 3}}) == 3
