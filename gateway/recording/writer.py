"""Writing the spool: append to memory, flush in one write, survive `kill -9` and a full disk.

1. What `flush` has written is in the page cache: it survives the death of the process, not that of the machine.
2. A failed flush leaves the file as it was and the frames in memory; the next flush tries them again, in order.
3. After a failed flush at most `keep_bytes` stay in memory; newer frames are dropped and counted in `lost`.
4. One process writes a folder at a time, guarded by a lock that dies with the process.
5. A durable writer remembers which files have data that a machine's death would take; `unsynced` gives the work that
   secures it, to be done in a thread.
6. Links of the hash chain (chain.py) go out with the batches, in the same write.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final
from zlib import crc32

from gateway.recording.chain import Chain, Head, resume
from gateway.recording.errors import SpoolError
from gateway.recording.folder import lock, next_segment, recover, unusable
from gateway.recording.segments import Position, plain_path
from gateway.recording.sync import Sync
from gateway.recording.wire import HEADER, MAX_PAYLOAD

KEEP_BYTES: Final = 64 << 20
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC


class SpoolWriter:
    """Appends frames to the segments of one folder; for one thread.

    Raises:
        SpoolError: the folder can't be created, locked or written.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_bytes: int,
        keep_bytes: int = KEEP_BYTES,
        write: Callable[[int, bytes], int] = os.write,
        durable: bool = False,
    ) -> None:
        self.lost = 0  # frames that were dropped: too many behind a failing disk, or not fit for a frame
        self.written = 0  # frames, since the start
        self._directory = directory
        self._segment_bytes = segment_bytes
        self._keep_bytes = keep_bytes
        self._write = write
        self._chunks: list[bytes] = []
        self._waiting = 0  # bytes in `_chunks`
        self._frames = 0  # frames in `_chunks`
        self._failing = False
        self._durable = durable
        self._left: list[int] = []  # a durable writer's files before this one, and not synced yet
        self._begun = False  # a file since the last sync, so that the folder is to be synced, too
        self._descriptor: int | None = None
        self._lock = lock(directory)
        try:
            recover(directory)
            self._chain = Chain(os.urandom(8).hex(), resume(directory))
            self._open(next_segment(directory))
        except OSError as error:
            os.close(self._lock)
            raise unusable(directory, error) from error
        except SpoolError:
            os.close(self._lock)
            raise

    @property
    def position(self) -> Position:
        """The end of what is written."""
        return Position(self._segment, self._offset)

    @property
    def head(self) -> Head:
        """The hash chain up to what is written, to be anchored elsewhere."""
        return self._chain.head

    @property
    def waiting(self) -> int:
        """Bytes that are appended and not written yet."""
        return self._waiting

    def append(self, payload: bytes) -> None:
        """Take one frame into memory."""
        length = len(payload)
        too_much = self._failing and self._waiting + length > self._keep_bytes
        if too_much or not 0 < length <= MAX_PAYLOAD:
            self.lost += 1
            return
        self._chunks += (HEADER.pack(length, crc32(payload)), payload)
        self._waiting += HEADER.size + length
        self._frames += 1

    def flush(self) -> None:
        """Write all that waits with one `write`.

        Raises:
            SpoolError: it was not written; the file is as before and the frames wait for the next flush.
        """
        if not self._chunks:
            return
        data = b"".join(self._chunks)
        self._chunks = [data]  # a failed flush need not join them again
        try:
            self._put(data)
        except OSError as error:
            self._failing = True
            where = plain_path(self._directory, self._segment)
            raise SpoolError(
                f"{where}: not recorded ({error.strerror}), {len(data)} bytes wait in memory; free space on its disk"
            ) from error
        self.written += self._frames
        self._forget()
        self._failing = False

    def unsynced(self) -> Sync:
        """What brings all that is written to the disk; to be called once, in any thread, while the writer goes on.

        Raises:
            OSError: no descriptors are left.
        """
        folder = [os.dup(self._lock)] if self._begun else []
        present = [os.dup(self._descriptor)] if self._descriptor is not None else []
        left, self._left, self._begun = self._left, [], False
        return Sync([*left, *present, *folder])

    def forsake(self, frames: int) -> None:
        """Count written frames as lost, because a sync failed, and go on in a new segment."""
        self.lost += frames
        self._close_segment()

    def close(self) -> None:
        """Flush and let go of the folder, whatever comes of the flush.

        Raises:
            SpoolError: the last flush failed; what waited is gone with this process, and counted in `lost`.
        """
        if self._lock < 0:
            return
        try:
            self.flush()
            self._seal()
        finally:
            self.lost += self._frames
            self._forget()
            self._close_segment()
            for descriptor in self._left:
                os.close(descriptor)
            os.close(self._lock)
            self._lock = -1

    def _forget(self) -> None:
        self._chunks.clear()
        self._waiting = self._frames = 0

    def _seal(self) -> None:
        """End with a link, so that the chain covers everything; without room for it the next start covers the rest."""
        if self._chain.pending and self._descriptor is not None:
            with contextlib.suppress(OSError):
                self._write_batch(self._chain.link(self.position), b"")

    def _put(self, data: bytes) -> None:
        link = self._chain.due(self.position)
        if self._descriptor is None or (self._offset and self._offset + len(link) + len(data) > self._segment_bytes):
            self._open(self._segment + 1)
            link = self._chain.due(self.position)
        self._write_batch(link, data)

    def _write_batch(self, link: bytes, data: bytes) -> None:
        assert self._descriptor is not None
        try:
            _write_all(self._write, self._descriptor, link + data)
        except OSError:
            self._undo()
            raise
        self._offset += len(link) + len(data)
        self._chain.wrote(link, data, self.position)

    def _undo(self) -> None:
        assert self._descriptor is not None
        try:
            os.ftruncate(self._descriptor, self._offset)
        except OSError:
            self._close_segment()  # its torn tail stays: go on in a new segment, readers skip the tail

    def _open(self, segment: int) -> None:
        descriptor = os.open(plain_path(self._directory, segment), _FLAGS, 0o600)
        self._close_segment()
        self._descriptor, self._segment, self._offset = descriptor, segment, 0
        self._begun = True

    def _close_segment(self) -> None:
        if self._descriptor is None:
            return
        if self._durable:
            self._left.append(self._descriptor)
        else:
            os.close(self._descriptor)
        self._descriptor = None


def _write_all(write: Callable[[int, bytes], int], descriptor: int, data: bytes) -> None:
    """Usually one write; a short one (a nearly full disk, more than 2 GiB) goes on to its reason or its end."""
    done = write(descriptor, data)
    while done < len(data):
        done += write(descriptor, data[done:])
