"""`traceparent`: what is one, and what becomes of it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.context import child_of, parse

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans(), st.integers())
def test_a_context_is_read_as_it_was_written_and_has_its_parents_trace(
    trace: int, span: int, sampled: bool, seed: int
) -> None:
    header = b"00-%032x-%016x-%02x" % (trace, span, sampled)
    ours = child_of(header, 0.5, Random(seed).getrandbits)
    assert (ours.trace, ours.parent, ours.sampled) == (trace, span, sampled)
    name, _, value = ours.line.removesuffix(b"\r\n").partition(b": ")
    again = parse(value)
    assert name == b"traceparent"
    assert again is not None
    assert (again.trace, again.span, again.sampled) == (ours.trace, ours.span, sampled)


@given(st.binary(max_size=80))
def test_anything_else_begins_a_trace(header: bytes) -> None:
    assert parse(header) is None
    assert child_of(header, 1.0, Random(1).getrandbits).parent is None


@pytest.mark.parametrize(
    "header",
    [
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
    ],
)
def test_what_the_recommendation_rules_out_is_none(header: str) -> None:
    assert parse(header.encode()) is None


def test_a_later_version_is_read_as_far_as_it_is_known() -> None:
    assert parse(f"cc-{TRACE}-{SPAN}-03-what-the-future-brings".encode()) is not None


def test_traces_that_begin_here_are_sampled_at_their_rate() -> None:
    bits = Random(7).getrandbits
    sampled = sum(child_of(None, 0.3, bits).sampled for _ in range(10_000))
    assert 2846 <= sampled <= 3154  # 99.9 % of Binomial(10000, 0.3)
    assert not any(child_of(None, 0.0, bits).sampled for _ in range(100))
    assert all(child_of(None, 1.0, bits).sampled for _ in range(100))
