"""What a folder remembers of segments that are gone: `retired.jsonl`, one line each, chained.

A line: `{"v", "segment", "bytes", "last_at", "retired_at", "why", "ingested", "starts", "ends", "before"}`. `bytes` as
it lay on the disk; `last_at`, `retired_at` Unix seconds; `starts` and `ends` the links (chain.py) at its beginning and
at the beginning of the next segment, null where there were none; `before` the BLAKE2b of the line before.
"""

import hashlib
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson

from gateway.recording.errors import SpoolError

VERSION = 1
NAME = "retired.jsonl"
Why = Literal["age", "size"]


@dataclass(frozen=True, slots=True)
class Retired:
    """A segment that was removed."""

    segment: int
    bytes: int
    last_at: float
    retired_at: float
    why: Why
    ingested: bool  # whether the evolver had read all of it
    starts: str | None
    ends: str | None


@dataclass(frozen=True, slots=True)
class Memory:
    """The lines that can be read, and the segments of those that don't follow from the line before."""

    rows: list[Retired]
    flaws: list[int]

    def of(self, segment: int) -> Retired | None:
        """The line about one segment."""
        return next((row for row in self.rows if row.segment == segment), None)


def read_retired(directory: Path) -> Memory:
    """What is remembered; a torn last line is not.

    Raises:
        SpoolError: the file can't be read.
    """
    memory, before = Memory([], []), ""
    for line in _lines(directory):
        try:
            value = orjson.loads(line)
            row = Retired(**{name: value[name] for name in Retired.__dataclass_fields__})
        except (orjson.JSONDecodeError, KeyError, TypeError):
            memory.flaws.append(memory.rows[-1].segment + 1 if memory.rows else 0)
        else:
            memory.rows.append(row)
            if value.get("before") != before:
                memory.flaws.append(row.segment)
        before = _digest(line)
    return memory


def remember(directory: Path, row: Retired) -> None:
    """Append a line, durable when this returns; a torn last line is cut first.

    Raises:
        OSError: it could not be written.
    """
    lines = _lines(directory)
    before = _digest(lines[-1]) if lines else ""
    line = orjson.dumps({"v": VERSION, **asdict(row), "before": before}) + b"\n"
    descriptor = os.open(directory / NAME, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = sum(map(len, lines))
        os.ftruncate(descriptor, end)
        if os.pwrite(descriptor, line, end) != len(line):
            raise OSError("no room for the whole line")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(directory: Path) -> list[bytes]:
    path = directory / NAME
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise SpoolError(f"{path}: can't be read ({error.strerror}); check its owner and mode") from error
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def _digest(line: bytes) -> str:
    return hashlib.blake2b(line, digest_size=16).hexdigest()
