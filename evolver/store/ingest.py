"""Spool -> rows, exactly once.

1. A batch's rows and the offset behind its last frame are written in one transaction; a kill between two batches
   loses nothing and repeats nothing.
2. A frame that can't be understood is counted and passed over: one bad frame never stops the rest.
3. The writer's folder is told how far its recordings are read, once that is safe here: age retires no others.
4. Rows are keyed by what they are about, so that a frame that was itself written twice is still one row.
"""

import logging
import sqlite3
from collections import defaultdict
from itertools import islice
from pathlib import Path
from typing import Any

from evolver.store.queries import queries
from evolver.store.rows import rows
from gateway.recording import Position, read_consumed, read_frames, write_consumed

log = logging.getLogger("evogate.ingest")

BATCH = 2_000
# A failure's learning looks its assignment up, so assignments come first.
_ORDER = ("assignment", "recall", "outcome", "feedback", "mark", "shadow", "learning_of_signal", "learning_of_failure")


def ingest(connection: sqlite3.Connection, spool: Path, *, batches: int = 50) -> int:
    """Read what is new of every writer, at most `batches` batches each; the number of frames read."""
    if not spool.is_dir():
        return 0
    return sum(_ingest_writer(connection, writer, batches) for writer in sorted(spool.iterdir()) if writer.is_dir())


def _ingest_writer(connection: sqlite3.Connection, directory: Path, batches: int) -> int:
    statements = queries("ingest")
    row = connection.execute(statements["offset"], (directory.name,)).fetchone()
    position = Position(row[0], row[1]) if row else None
    frames = read_frames(directory, position)
    total = 0
    for _ in range(batches):
        batch = list(islice(frames, BATCH))
        if not batch:
            break
        position = _store(connection, directory.name, position or Position(batch[0][0].segment, 0), batch)
        total += len(batch)
    if position is not None:
        _tell(directory, position)
    return total


def _tell(directory: Path, position: Position) -> None:
    """Also where nothing is new: a kill or a full disk may have kept the last one from being written."""
    if read_consumed(directory) == position:
        return
    try:
        write_consumed(directory, position)
    except OSError as error:
        log.warning("%s: how far it is read can't be noted (%s): nothing in it expires by age", directory, error)


def _store(
    connection: sqlite3.Connection, writer: str, start: Position, batch: list[tuple[Position, dict[str, Any]]]
) -> Position:
    """One transaction: the batch's rows, and the offset behind it."""
    statements = queries("ingest")
    grouped: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    unknown = 0
    before = start
    for after, payload in batch:
        at = before if before.segment == after.segment else Position(after.segment, 0)
        found = rows(payload, (writer, *at))
        unknown += found is None
        for name, values in found or ():
            grouped[name].append(values)
        before = after
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for name in _ORDER:
            if name in grouped:
                connection.executemany(statements[name], grouped[name])
        connection.execute(statements["move_offset"], (writer, before.segment, before.offset, len(batch), unknown))
    return before
