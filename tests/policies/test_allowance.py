"""A client's bucket: a minute's worth at once, then the rate, whatever others say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.allowance import Allowance


@given(st.lists(st.floats(0.0, 30.0), min_size=1, max_size=200), st.integers(1, 50))
def test_no_minute_holds_more_than_two_of_them(pauses: list[float], rate: int) -> None:
    allowance, now, taken = Allowance(), 0.0, []
    for pause in pauses:
        now += pause
        if not allowance.take(b"a", rate, now):
            taken.append(now)
    for start in taken:
        assert sum(start <= at < start + 60.0 for at in taken) <= 2 * rate


def test_it_says_when_the_next_word_is_taken_and_keeps_to_it() -> None:
    allowance = Allowance()
    assert [allowance.take(b"a", 2, 0.0) for _ in range(3)] == [0.0, 0.0, 30.0]
    assert allowance.take(b"a", 2, 29.0) == pytest.approx(1.0)
    assert allowance.take(b"b", 2, 29.0) == 0.0, "others are not held up"
    assert allowance.take(b"a", 2, 30.001) == 0.0


def test_clients_are_bounded() -> None:
    allowance = Allowance(clients=2)
    for name in (b"a", b"b", b"c"):
        assert allowance.take(name, 1, 0.0) == 0.0
    assert allowance.take(b"c", 1, 0.0) == 60.0
    assert allowance.take(b"a", 1, 0.0) == 0.0, "the longest silent one was forgotten"
