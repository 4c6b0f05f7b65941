"""Segments: the numbered files `NNNNNNNN.spool` of one writer's folder, and reading one of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

from gateway.recording.errors import SpoolError
from gateway.recording.wire import scan

SUFFIX = ".spool"
CHUNK_BYTES = 1 << 20


class Position(NamedTuple):
    """A place in one writer's spool, between two frames: ordered; in JSON `list(position)`, back `Position(*value)`."""

    segment: int
    offset: int


def segment_path(directory: Path, segment: int) -> Path:
    """The file of one segment."""
    return directory / f"{segment:08d}{SUFFIX}"


def segments(directory: Path) -> list[int]:
    """The numbers of the segments that exist, ascending; none where there is no such folder."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpoolError(f"{directory}: can't be read ({error.strerror}); check its owner and mode") from error
    stems = (name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isdecimal())


class SegmentReader:
    """The payloads of one segment from `offset` on; iterating again goes on where it stopped.

    Reads in chunks rather than through a map, because the writer may cut the file (a full disk, a torn tail) and a
    map would then kill the reader.
    """

    def __init__(self, directory: Path, segment: int, offset: int = 0, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.path = segment_path(directory, segment)
        self.segment = segment
        self.offset = offset  # just behind the last whole frame
        self.broken = False  # the bytes at `offset` can never become a frame
        self._chunk_bytes = chunk_bytes

    def __iter__(self) -> Iterator[tuple[Position, bytes]]:
        """Each payload with the position just behind it. A retired segment has none.

        Raises:
            SpoolError: the file can't be read.
        """
        try:
            file = self.path.open("rb", buffering=0)
        except FileNotFoundError:
            return
        except OSError as error:
            raise SpoolError(f"{self.path}: can't be read ({error.strerror}); check its owner and mode") from error
        with file:
            yield from self._frames(file.fileno())

    def _frames(self, descriptor: int) -> Iterator[tuple[Position, bytes]]:
        size = self._chunk_bytes
        while True:
            base = self.offset
            data = os.pread(descriptor, size, base)
            found = scan(data)
            for end, payload in found.frames:
                self.offset = base + end
                yield Position(self.segment, base + end), payload
            self.broken = found.broken
            if found.broken or len(data) < size:
                return
            size = max(self._chunk_bytes, found.wanted)

    def skip_to_end(self) -> Self:
        """Go to the end of the longest valid prefix without keeping the payloads."""
        for _ in self:
            pass
        return self

    def left(self) -> int:
        """Bytes behind `offset`; 0 where the segment is gone or shorter."""
        try:
            return max(0, self.path.stat().st_size - self.offset)
        except FileNotFoundError:
            return 0
