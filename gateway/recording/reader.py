"""Reading the spool while its writer appends: resumable, and never past a broken frame.

1. A position is the place behind a frame: reading from it yields the next frame, once.
2. In a writer's last segment a frame that is not whole is "not yet": reading ends, and goes on from there later.
3. In an earlier segment it is damage: reported, and reading goes on with the next segment.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any

import orjson

from gateway.recording.segments import Position, SegmentReader, segments

Payload = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of a segment that could not be read, and were skipped."""

    path: Path
    offset: int
    size: int

    def __str__(self) -> str:
        return f"{self.path}: {self.size} damaged bytes at offset {self.offset} were skipped"


OnDamage = Callable[[Damage], None]


def writers(root: Path) -> list[str]:
    """The names of the writers that have a folder under `root`, sorted."""
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def read_frames(
    directory: Path, start: Position | None = None, *, on_damage: OnDamage | None = None
) -> Iterator[tuple[Position, Payload]]:
    """One writer's frames from `start` to the present end, each with the position just behind it.

    Raises:
        SpoolError: a file can't be read.
    """
    for position, payload in read_payloads(directory, start, on_damage=on_damage):
        value = _parse(payload)
        if value is not None:
            yield position, value
        elif on_damage:
            path = SegmentReader(directory, position.segment).path
            on_damage(Damage(path, position.offset - len(payload), len(payload)))


def read_payloads(
    directory: Path, start: Position | None = None, *, on_damage: OnDamage | None = None
) -> Iterator[tuple[Position, bytes]]:
    """Like `read_frames`, without parsing: the bytes of each frame.

    Raises:
        SpoolError: a file can't be read.
    """
    segment, offset = start or Position(0, 0)
    present = _first(directory, segment)
    while present is not None:
        reader = SegmentReader(directory, present, offset if present == segment else 0)
        yield from reader
        following = _first(directory, present + 1)
        if following is None:
            return
        yield from reader  # its writer may have completed it before it opened the next one
        if on_damage and (left := reader.left()):
            on_damage(Damage(reader.path, reader.offset, left))
        present = following


def tail(
    root: Path,
    start: Mapping[str, Position] | None = None,
    *,
    wait: Callable[[], bool] | None = None,
    on_damage: OnDamage | None = None,
) -> Iterator[tuple[str, Position, Payload]]:
    """All writers' frames in the order of their time, as (writer, position behind it, payload).

    At the present end it asks `wait()` and goes on where that says so; without `wait` it ends there. New writers are
    met on the way.
    """
    positions = dict(start or {})
    while True:
        streams = [_named(root, writer, positions.get(writer), on_damage) for writer in writers(root)]
        for writer, position, payload in merge(*streams, key=_time):
            positions[writer] = position
            yield writer, position, payload
        if wait is None or not wait():
            return


def every(interval_s: float) -> Callable[[], bool]:
    """A `wait` that follows for ever, looking again after `interval_s` seconds."""

    def wait() -> bool:
        time.sleep(interval_s)
        return True

    return wait


def _named(
    root: Path, writer: str, start: Position | None, on_damage: OnDamage | None
) -> Iterator[tuple[str, Position, Payload]]:
    for position, payload in read_frames(root / writer, start, on_damage=on_damage):
        yield writer, position, payload


def _time(item: tuple[str, Position, Payload]) -> float:
    at = item[2].get("at")
    return at if isinstance(at, int | float) else 0.0


def _first(directory: Path, at_least: int) -> int | None:
    return next((number for number in segments(directory) if number >= at_least), None)


def _parse(payload: bytes) -> Payload | None:
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None
