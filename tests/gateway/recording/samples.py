"""Frames to write, and short ways to write and read them."""

from pathlib import Path
from typing import Any

import orjson

from gateway.recording import Position, SpoolWriter, read_frames
from gateway.recording.segments import SegmentReader
from gateway.recording.wire import header

SEGMENT = 1 << 20
ROOT = Path(__file__).parents[3]  # where a child process finds this package


def frame(payload: bytes) -> bytes:
    """A whole frame, as it stands on disk."""
    return header(payload) + payload


def numbered(number: int, **more: Any) -> bytes:
    return orjson.dumps({"n": number, **more})


def write(directory: Path, *numbers: int, segment_bytes: int = SEGMENT) -> None:
    """One writer's life: a flush for each number."""
    writer = SpoolWriter(directory, segment_bytes=segment_bytes)
    for number in numbers:
        writer.append(numbered(number))
        writer.flush()
    writer.close()


def lay(directory: Path, *numbers: int, number: int = 1) -> Path:
    """A segment of these frames only, without links, as spools were before there was a chain."""
    segment(directory, number).write_bytes(b"".join(frame(numbered(n)) for n in numbers))
    return segment(directory, number)


def link_size(directory: Path, number: int = 1) -> int:
    """Bytes of the link with which a segment begins."""
    return next(iter(SegmentReader(directory, number, links=True)))[0].offset


def numbers(directory: Path, start: Position | None = None) -> list[int]:
    return [payload["n"] for _, payload in read_frames(directory, start)]


def segment(directory: Path, number: int = 1) -> Path:
    return directory / f"{number:08d}.spool"
