"""How far behind the evolver is in a writer's recordings."""

from pathlib import Path

from gateway.recording import Position, read_consumed, read_frames


def lag_s(directory: Path, end: Position, now: float) -> float:
    """Seconds since the oldest record was made that the evolver has not read; 0 where it has read up to `end`.

    Reads one block of the file where it stopped: not for the loop of a worker.

    Raises:
        SpoolError: a file can't be read.
    """
    begin = read_consumed(directory) or Position(0, 0)
    if begin >= end:
        return 0.0
    made = (float(frame["at"]) for _, frame in read_frames(directory, begin) if "at" in frame)
    return max(0.0, now - next(made, now))
