"""Which bodies are kept."""

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.recording import keeps_body

UNITS = [f"{number:016x}" for number in range(4000)]


def test_all_or_nothing() -> None:
    assert all(keeps_body(unit, 1.0) for unit in UNITS)
    assert not any(keeps_body(unit, 0.0) for unit in UNITS)


@given(st.floats(0.05, 0.95))
def test_the_share_is_kept(share: float) -> None:
    kept = sum(keeps_body(unit, share) for unit in UNITS)
    assert abs(kept - share * len(UNITS)) < 5.0 * math.sqrt(share * (1.0 - share) * len(UNITS))


@given(st.sampled_from(UNITS), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_a_share_keeps_a_larger_one_keeps(unit: str, one: float, other: float) -> None:
    assert keeps_body(unit, min(one, other)) <= keeps_body(unit, max(one, other))
