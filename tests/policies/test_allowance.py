"""A client's bucket: a bucketful at once, then the rate, whatever others say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.allowance import Allowance


def take(allowance: Allowance, client: bytes, per_minute: int, now: float) -> float:
    return allowance.take(client, now, rate=per_minute / 60.0, most=per_minute)


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=200), st.integers(1, 50))
def test_no_minute_holds_more_than_two_of_them(pauses: list[float], rate: int) -> None:
    allowance, now, taken = Allowance(), 0.0, []
    for pause in pauses:
        now += pause
        if not allowance.take(b"a", now, rate=rate / 60.0, most=rate):
            taken.append(now)
    for start in taken:
        assert sum(start <= at < start + 60.0 for at in taken) <= 2 * rate


def test_it_says_when_the_next_word_is_taken_and_keeps_to_it() -> None:
    allowance = Allowance()
    assert [take(allowance, b"a", 2, 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert take(allowance, b"a", 2, 29.0) == pytest.approx(1.0)
    assert take(allowance, b"b", 2, 29.0) == 0.0, "others are not held up"
    assert take(allowance, b"a", 2, 30.001) == 0.0


def test_clients_are_bounded() -> None:
    allowance = Allowance(clients=2)
    for name in (b"a", b"b", b"c"):
        assert take(allowance, name, 1, 0.0) == 0.0
    assert take(allowance, b"c", 1, 0.0) == 60.0
    assert take(allowance, b"a", 1, 0.0) == 0.0, "the longest silent one was forgotten"


@given(st.lists(st.booleans(), max_size=400), st.sampled_from([0.1, 0.25, 0.5, 1.0]))
def test_of_answers_it_is_a_share_beyond_the_bucketful(events: list[bool], share: float) -> None:
    """True: an answer is given; False: one client says a word."""
    allowance, answers, words = Allowance(), 0, 0
    for answered in events:
        answers += answered
        words += not answered and not allowance.take(b"a", answers, rate=share, most=10.0)
        assert words <= 10.0 + share * answers
