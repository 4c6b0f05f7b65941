"""Segments: the numbered files of one writer's folder, and reading one of them.

`NNNNNNNN.spool` is what the writer appends to. A sealed one may be `NNNNNNNN.spool.zst` instead, with the same bytes
inside: positions count uncompressed bytes in either. Where both exist they hold the same.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple, Self

from gateway.recording.errors import SpoolError
from gateway.recording.sealed import PlainFile, SealedFile
from gateway.recording.wire import is_link, scan

SUFFIX: Final = ".spool"
SEALED_SUFFIX: Final = ".spool.zst"
CHUNK_BYTES: Final = 1 << 20


class Position(NamedTuple):
    """A place in one writer's spool, between two frames: ordered; in JSON `list(position)`, back `Position(*value)`."""

    segment: int
    offset: int


def plain_path(directory: Path, segment: int) -> Path:
    """Where one segment is while it is not compressed."""
    return directory / f"{segment:08d}{SUFFIX}"


def sealed_path(directory: Path, segment: int) -> Path:
    """Where one segment is once it is compressed."""
    return directory / f"{segment:08d}{SEALED_SUFFIX}"


def segment_path(directory: Path, segment: int) -> Path:
    """The file that holds one segment now."""
    plain, sealed = plain_path(directory, segment), sealed_path(directory, segment)
    return sealed if sealed.exists() and not plain.exists() else plain


def segments(directory: Path) -> list[int]:
    """The numbers of the segments that exist, ascending; none where there is no such folder."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpoolError(f"{directory}: can't be read ({error.strerror}); check its owner and mode") from error
    stems = {name.removesuffix(".zst").removesuffix(SUFFIX) for name in names if name.endswith((SUFFIX, SEALED_SUFFIX))}
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def modified(directory: Path, segment: int) -> float | None:
    """When the segment was last appended to, Unix seconds; None where it is gone. Compressing it keeps this time."""
    for path in (plain_path(directory, segment), sealed_path(directory, segment)):
        try:
            return path.stat().st_mtime
        except FileNotFoundError:
            continue
    return None


class SegmentReader:
    """The payloads of one segment from `offset` on; iterating again goes on where it stopped.

    Links of the hash chain are stepped over, unless `links` asks for them.
    Reads in chunks rather than through a map, because the writer may cut the file (a full disk, a torn tail) and a
    map would then kill the reader.
    """

    def __init__(
        self, directory: Path, segment: int, offset: int = 0, *, chunk_bytes: int = CHUNK_BYTES, links: bool = False
    ) -> None:
        self.segment = segment
        self.offset = offset  # just behind the last whole frame
        self.broken = False  # the bytes at `offset` can never become a frame
        self._directory = directory
        self._chunk_bytes = chunk_bytes
        self._links = links

    @property
    def path(self) -> Path:
        """The file that holds the segment now."""
        return segment_path(self._directory, self.segment)

    def __iter__(self) -> Iterator[tuple[Position, bytes]]:
        """Each payload with the position just behind it. A retired segment has none.

        Raises:
            SpoolError: the file can't be read.
        """
        file = self._open()
        if file is not None:
            with file:
                yield from self._frames(file)

    def _open(self) -> PlainFile | SealedFile | None:
        """The plain file first: it is removed only when the sealed one stands."""
        for kind, path in (
            (PlainFile, plain_path(self._directory, self.segment)),
            (SealedFile, sealed_path(self._directory, self.segment)),
        ):
            try:
                return kind(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SpoolError(f"{path}: can't be read ({error.strerror}); check its owner and mode") from error
        return None

    def _frames(self, file: PlainFile | SealedFile) -> Iterator[tuple[Position, bytes]]:
        size = self._chunk_bytes
        while True:
            base = self.offset
            data = self._read(file, size, base)
            found = scan(data)
            for end, payload in found.frames:
                self.offset = base + end
                if self._links or not is_link(payload):
                    yield Position(self.segment, base + end), payload
            self.broken = found.broken
            if found.broken or len(data) < size:
                return
            size = max(self._chunk_bytes, found.wanted)

    def _read(self, file: PlainFile | SealedFile, size: int, offset: int) -> bytes:
        try:
            return file.read(size, offset)
        except OSError as error:
            raise SpoolError(f"{self.path}: can't be read ({error.strerror}); check its disk") from error

    def skip_to_end(self) -> Self:
        """Go to the end of the longest valid prefix without keeping the payloads."""
        for _ in self:
            pass
        return self

    def left(self) -> int:
        """Bytes behind `offset`; 0 where the segment is gone or shorter."""
        file = self._open()
        if file is None:
            return 0
        with file:
            return max(0, file.size() - self.offset)
