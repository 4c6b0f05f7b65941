"""A writer's folder before it writes: one process at a time, a torn tail cut, the segment to begin."""

import fcntl
import os
from pathlib import Path

from gateway.recording.errors import SpoolError
from gateway.recording.retired import read_retired
from gateway.recording.segments import SegmentReader, plain_path, segment_path, segments


def recover(directory: Path) -> int:
    """Cut a torn tail of the last segment to its longest valid prefix; returns the bytes cut.

    Only while no writer is at work there: `SpoolWriter` calls it under its lock.

    Raises:
        SpoolError: the segment can't be read or cut.
    """
    known = segments(directory)
    if not known or not plain_path(directory, known[-1]).exists():
        return 0
    reader = SegmentReader(directory, known[-1]).skip_to_end()
    torn = reader.left()
    if torn:
        try:
            os.truncate(reader.path, reader.offset)
        except OSError as error:
            raise SpoolError(f"{reader.path}: the torn tail can't be cut ({error.strerror}); check its mode") from error
    return torn


def lock(directory: Path) -> int:
    """Make the folder and take it; the descriptor returned holds the lock, which dies with the process.

    Raises:
        SpoolError: the folder can't be used, or another writer has it.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unusable(directory, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise SpoolError(
            f"{directory}: another process records there; stop it, or give this one an EVOGATE_HOME of its own"
        ) from error
    return descriptor


def unusable(directory: Path, error: OSError) -> SpoolError:
    """What to tell an operator about a folder."""
    return SpoolError(f"{directory}: can't be used ({error.strerror}); set EVOGATE_HOME to a folder of yours")


def next_segment(directory: Path) -> int:
    """A number that none had before, or the last one where that segment is still empty."""
    known = segments(directory)
    fresh = max((row.segment for row in read_retired(directory).rows), default=0) + 1
    if not known:
        return fresh
    return max(fresh, known[-1] + bool(segment_path(directory, known[-1]).stat().st_size))
