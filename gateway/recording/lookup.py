"""Finding one request or record in the spool without parsing the rest of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from gateway.recording.conversations import join
from gateway.recording.ids import id_time
from gateway.recording.reader import Payload, read_frames, read_payloads, writers
from gateway.recording.segments import Position, SegmentReader, modified, segments

ONE_RECORD_BYTES = 8192  # most records fit; a longer one is read again at its size
SLACK_S = 300.0  # by how much a writer's clock may have gone back within one spool


def find(root: Path, request_id: str) -> dict[str, Any] | None:
    """All that is recorded of one request, as `join` gives it; None where nothing is.

    The id's time leaves out the segments that were complete before the request came. The rest is searched for the
    id's bytes: signals about a request may come at any later time, and from any worker.

    Raises:
        SpoolError: a file can't be read.
    """
    found = [frame for writer in writers(root) for frame in _about(root / writer, request_id)]
    found.sort(key=lambda frame: float(frame.get("at", 0.0)))
    return join(request_id, found) if found else None


def frame_at(directory: Path, position: Position) -> Payload | None:
    """The record behind `position`; None where its segment is retired, or nothing is there.

    Raises:
        SpoolError: a file can't be read.
    """
    for _, payload in SegmentReader(directory, position.segment, position.offset, chunk_bytes=ONE_RECORD_BYTES):
        return _frame(payload)
    # The end of a segment is the beginning of the next, where that is the one that follows.
    for _, payload in SegmentReader(directory, position.segment + 1, chunk_bytes=ONE_RECORD_BYTES):
        return _frame(payload) if modified(directory, position.segment) is not None else None
    return None


def since(directory: Path, at: float) -> Position:
    """Where reading must begin to meet all that was recorded from `at` on, Unix seconds.

    By the times at which the segments were last written to, so that older ones need not be read.
    """
    known = segments(directory)
    young = (number for number in known if (modified(directory, number) or 0.0) >= at)
    return Position(next(young, known[-1] + 1 if known else 0), 0)


def _about(directory: Path, request_id: str) -> Iterator[Payload]:
    needle = request_id.encode()
    for _, payload in read_payloads(directory, _start(directory, request_id)):
        if needle in payload and (frame := _frame(payload)).get("id") == request_id:
            yield frame


def _start(directory: Path, request_id: str) -> Position:
    """Where the request's frames can begin: the last segment whose first frame is older than the request."""
    try:
        earliest = id_time(request_id) - SLACK_S
    except ValueError:
        return Position(0, 0)
    known = segments(directory)
    for segment in reversed(known):
        first = next((frame for _, frame in read_frames(directory, Position(segment, 0))), {})
        if 0.0 < float(first.get("at", 0.0)) < earliest:
            return Position(segment, 0)
    return Position(0, 0)


def _frame(payload: bytes) -> Payload:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
