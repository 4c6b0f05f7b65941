"""Framing: any damage at any place leaves the longest valid prefix, and nothing that was not written."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.recording.wire import HEADER, MAX_PAYLOAD, header, scan
from tests.gateway.recording.samples import frame

payloads = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def test_the_header_is_length_and_checksum_little_endian() -> None:
    assert header(b"abc") == struct.pack("<II", 3, zlib.crc32(b"abc"))


@pytest.mark.parametrize("payload", [b"", bytes(MAX_PAYLOAD + 1)])
def test_a_payload_is_neither_empty_nor_boundless(payload: bytes) -> None:
    with pytest.raises(ValueError, match="a payload has 1 to"):
        header(payload)


@given(payloads)
def test_frames_round_trip(written: list[bytes]) -> None:
    data = b"".join(map(frame, written))
    found = scan(data)
    assert [payload for _, payload in found.frames] == written
    assert (found.end, found.broken, found.wanted) == (len(data), False, HEADER.size)
    assert [data[:end] for end, _ in found.frames] == [
        b"".join(map(frame, written[:count])) for count in range(1, len(written) + 1)
    ]


@given(st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=3))
def test_every_truncation_leaves_the_longest_prefix_and_may_go_on(written: list[bytes]) -> None:
    data = b"".join(map(frame, written))
    ends = [end for end, _ in scan(data).frames]
    for size in range(len(data)):
        found = scan(data[:size])
        whole = [end for end in ends if end <= size]
        assert [payload for _, payload in found.frames] == written[: len(whole)]
        assert found.end == (whole[-1] if whole else 0)
        assert not found.broken
        assert found.end + found.wanted > size


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=3))
def test_every_bit_flip_leaves_the_frames_before_it(written: list[bytes]) -> None:
    data = b"".join(map(frame, written))
    ends = [end for end, _ in scan(data).frames]
    for place in range(len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        before = sum(end <= place // 8 for end in ends)
        found = scan(bytes(flipped))
        assert [payload for _, payload in found.frames] == written[:before]
        assert found.end == ([0, *ends][before])


@given(payloads, st.binary(max_size=40))
def test_any_bytes_scan_and_a_prefix_is_never_lost(written: list[bytes], rubbish: bytes) -> None:
    data = b"".join(map(frame, written))
    found = scan(data + rubbish)
    assert [payload for _, payload in found.frames][: len(written)] == written
    assert found.end >= len(data)


def test_zeros_are_broken_not_empty_frames() -> None:
    found = scan(frame(b"x") + bytes(4096))
    assert (len(found.frames), found.broken) == (1, True)
