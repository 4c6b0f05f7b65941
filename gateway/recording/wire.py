"""The frame on disk: `length u32 LE, CRC-32 u32 LE of the payload, payload`. Pure: bytes in, frames out.

1. A payload has 1 to `MAX_PAYLOAD` bytes. Length 0 is invalid, because a run of zeros (what a power cut leaves
   behind) would otherwise be a run of valid empty frames.
2. The longest valid prefix ends before the first frame that is invalid or not all there.
3. Bytes that may still become a frame are "not yet"; bytes that never can are "broken".
"""

from struct import Struct
from typing import Final, NamedTuple
from zlib import crc32

HEADER: Final = Struct("<II")
_LINK: Final = b'{"t":"chain"'
MAX_PAYLOAD: Final = 1 << 28  # a body may have 32 MiB by default, and a frame holds one with room to spare


class Scan(NamedTuple):
    """What a run of bytes holds, read from a frame's beginning."""

    frames: list[tuple[int, bytes]]  # (offset just behind the frame, payload)
    end: int  # length of the longest valid prefix
    broken: bool  # what follows the prefix can never become a frame
    wanted: int  # bytes from `end` on that are needed to decide on the next frame


def header(payload: bytes) -> bytes:
    """The eight bytes that go before `payload`.

    Raises:
        ValueError: the payload is empty or longer than `MAX_PAYLOAD`.
    """
    if not 0 < len(payload) <= MAX_PAYLOAD:
        raise ValueError(f"a payload has 1 to {MAX_PAYLOAD} bytes, not {len(payload)}")
    return HEADER.pack(len(payload), crc32(payload))


def is_link(payload: bytes) -> bool:
    """Whether the frame is a link of the hash chain rather than a record."""
    return payload.startswith(_LINK)


def scan(data: bytes) -> Scan:
    """All whole frames at the beginning of `data`, and why it went no further."""
    frames: list[tuple[int, bytes]] = []
    end, size = 0, len(data)
    while (start := end + HEADER.size) <= size:
        length, checksum = HEADER.unpack_from(data, end)
        if not 0 < length <= MAX_PAYLOAD:
            return Scan(frames, end, broken=True, wanted=0)
        if (stop := start + length) > size:
            return Scan(frames, end, broken=False, wanted=HEADER.size + length)
        payload = data[start:stop]
        if crc32(payload) != checksum:
            return Scan(frames, end, broken=True, wanted=0)
        frames.append((stop, payload))
        end = stop
    return Scan(frames, end, broken=False, wanted=HEADER.size)
