"""Ids: RFC 9562 version 7, in order, unique."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recording import IdSource, id_time
from gateway.recording.ids import uuid7

NOW_NS = 1_760_000_000_123_456_789


def test_the_example_of_the_rfc() -> None:
    """RFC 9562, appendix A.6."""
    stamp = 0x017F22E279B0 << 12 | 0xCC3
    assert uuid7(stamp, 0x18C4DC0C0C07398F.to_bytes(8)) == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"


@given(st.integers(0, (1 << 60) - 1), st.binary(min_size=8, max_size=8))
def test_every_id_is_a_version_7_uuid(stamp: int, randomness: bytes) -> None:
    parsed = uuid.UUID(made := uuid7(stamp, randomness))
    assert (parsed.version, parsed.variant, str(parsed)) == (7, uuid.RFC_4122, made)
    assert id_time(made) == (stamp >> 12) / 1000


@given(st.lists(st.integers(NOW_NS - 10**7, NOW_NS + 10**7), min_size=2, max_size=50))
def test_ids_grow_whatever_the_clock_does(times: list[int]) -> None:
    source = IdSource(entropy=bytes)
    made = [source.new(now) for now in times]
    assert made == sorted(set(made))


def test_an_id_tells_its_time() -> None:
    assert id_time(IdSource().new(NOW_NS)) == NOW_NS // 10**6 / 1000


def test_the_fraction_of_the_millisecond_is_kept() -> None:
    source = IdSource(entropy=bytes)
    early, late = source.new(NOW_NS), source.new(NOW_NS + 1000)
    assert early[:13] == late[:13]
    assert int(late[15:18], 16) - int(early[15:18], 16) == 4  # a microsecond is 4.096 of 4096 parts


def test_two_processes_at_the_same_time_differ() -> None:
    assert IdSource().new(NOW_NS) != IdSource().new(NOW_NS)


@pytest.mark.parametrize(
    "text", ["", "nonsense", "b0a3d5f8-1111-4111-8111-111111111111", "017f22e279b07cc398c4dc0c0c07398f", "g" * 36]
)
def test_other_ids_have_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="version 7"):
        id_time(text)
