"""Files that hold a segment: as it was written, or sealed and compressed.

A sealed file is zstd's seekable format (facebook/zstd, contrib/seekable_format): independent frames of `BLOCK_BYTES`
each, and a table of their sizes in a skippable frame at the end. `zstd -d` gives the segment back. One record is read
by decompressing one block, because examples are fetched from old segments by their position.

1. The table is a hint: where it is damaged the blocks are walked, and what they say of themselves counts.
2. Reading never goes past a damaged block: what stands before it is all there is.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from struct import Struct
from typing import Self

from zstandard import ZstdCompressor, ZstdDecompressor, ZstdError, frame_content_size

BLOCK_BYTES = 1 << 18
LEVEL = 1  # twice as fast as 3 on recordings, for 5 % more bytes
_SKIPPABLE = Struct("<II")
_SKIPPABLE_MAGIC = 0x184D2A5E
_ENTRY = Struct("<II")
_FOOTER = Struct("<IBI")
_FOOTER_MAGIC = 0x8F92EAB1


def compress(source: Path, target: Path, pause: Callable[[], None] = lambda: None) -> None:
    """Seal the whole of `source` as `target`, durable when this returns; `pause` is called after each block.

    A kill at any moment leaves no `target`, or all of it. The time of the last change is kept.

    Raises:
        OSError: no `target` was made.
    """
    unfinished = target.with_name(target.name + ".tmp")
    try:
        with source.open("rb", buffering=0) as plain, unfinished.open("wb") as sealed:
            os.fchmod(sealed.fileno(), 0o600)
            table = b""
            for compressed, size in _blocks(plain.read):
                sealed.write(compressed)
                table += _ENTRY.pack(len(compressed), size)
                pause()
            sealed.write(_SKIPPABLE.pack(_SKIPPABLE_MAGIC, len(table) + _FOOTER.size) + table)
            sealed.write(_FOOTER.pack(len(table) // _ENTRY.size, 0, _FOOTER_MAGIC))
            sealed.flush()
            before = os.fstat(plain.fileno())
            os.utime(sealed.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))
            os.fsync(sealed.fileno())
        unfinished.replace(target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)


def sync_folder(directory: Path) -> None:
    """Make what was renamed or removed in a folder durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _blocks(read: Callable[[int], bytes | None]) -> Iterator[tuple[bytes, int]]:
    compressor = ZstdCompressor(level=LEVEL, write_checksum=True)
    while block := read(BLOCK_BYTES):
        yield compressor.compress(block), len(block)


class PlainFile:
    """A segment as it was written."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only at the end."""
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        """Bytes of the segment."""
        return os.fstat(self._descriptor).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class SealedFile(PlainFile):
    """A compressed segment, read as if it were not."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._decompressor = ZstdDecompressor()
        self._bytes = super().size()
        self._index(self._table() or self._walk())
        self._last: tuple[int, bytes] = (-1, b"")  # the block read last: chunks end within blocks

    def read(self, size: int, offset: int) -> bytes:
        """At most `size` bytes from `offset` on; fewer only at the end or before a damaged block."""
        parts = []
        block = bisect_right(self._ends, offset)
        while size > 0 and block < len(self._ends) and (data := self._block(block)) is not None:
            skipped = offset - (self._ends[block] - len(data))
            part = data[skipped : skipped + size]
            parts.append(part)
            size, offset, block = size - len(part), offset + len(part), block + 1
        return b"".join(parts)

    def size(self) -> int:
        """Bytes of the segment; what can't be read counts as it lies on the disk."""
        known = self._ends[-1] if self._ends else 0
        return known + (0 if self._whole else self._bytes - self._starts[-1])

    def _index(self, sizes: list[tuple[int, int]]) -> None:
        self._starts = list(accumulate((compressed for compressed, _ in sizes), initial=0))
        self._ends = list(accumulate(plain for _, plain in sizes))
        self._whole = self._starts[-1] + _SKIPPABLE.size + len(sizes) * _ENTRY.size + _FOOTER.size == self._bytes

    def _table(self) -> list[tuple[int, int]] | None:
        """(compressed, uncompressed) size of each block, as the table at the end gives them; None: damaged."""
        footer = super().read(_FOOTER.size, max(0, self._bytes - _FOOTER.size))
        if len(footer) < _FOOTER.size:
            return None
        count, _, magic = _FOOTER.unpack(footer)
        start = self._bytes - _FOOTER.size - count * _ENTRY.size
        if magic != _FOOTER_MAGIC or start < _SKIPPABLE.size:
            return None
        sizes = list(_ENTRY.iter_unpack(super().read(count * _ENTRY.size, start)))
        fits = sum(compressed for compressed, _ in sizes) + _SKIPPABLE.size == start
        even = all(plain == BLOCK_BYTES for _, plain in sizes[:-1])
        return sizes if fits and even and self._ends_so(sizes, start - _SKIPPABLE.size) else None

    def _ends_so(self, sizes: list[tuple[int, int]], end: int) -> bool:
        """Whether the last block, the only one of any size, is as large as the table says."""
        if not sizes:
            return True
        compressed, plain = sizes[-1]
        return _content_size(super().read(compressed, end - compressed)) == plain

    def _walk(self) -> list[tuple[int, int]]:
        """The same from the blocks themselves, as far as they are whole."""
        sizes: list[tuple[int, int]] = []
        start = 0
        while True:
            data = super().read(2 * BLOCK_BYTES, start)
            stream = self._decompressor.decompressobj()
            try:
                plain = len(stream.decompress(data))
            except ZstdError:
                return sizes
            if not stream.eof or not plain:
                return sizes
            compressed = len(data) - len(stream.unused_data)
            sizes.append((compressed, plain))
            start += compressed

    def _block(self, number: int) -> bytes | None:
        if self._last[0] == number:
            return self._last[1]
        start, end = self._starts[number : number + 2]
        plain = self._ends[number] - (self._ends[number - 1] if number else 0)
        data = super().read(end - start, start)
        if _content_size(data) != plain:  # looked at first, because decompressing takes so much memory
            return None
        try:
            self._last = number, self._decompressor.decompress(data)
        except ZstdError:
            return None
        return self._last[1]


def _content_size(data: bytes) -> int:
    """What a block says of its uncompressed size; -1 where it says nothing."""
    try:
        return frame_content_size(data)
    except ZstdError:
        return -1
