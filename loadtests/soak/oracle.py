"""Counts outcomes while they are recorded: retention takes the oldest away, so that counting at the end is too late."""

from dataclasses import dataclass
from pathlib import Path

from gateway.recording import Position, read_frames
from gateway.recording.reader import writers
from gateway.recording.segments import segment_path


@dataclass
class Oracle:
    """What is on record below one folder, read once each."""

    spool: Path
    outcomes: int = 0
    assignments: int = 0
    missed: int = 0  # segments that were gone before they were read
    damaged: int = 0

    def __post_init__(self) -> None:
        self._positions: dict[str, Position] = {}

    def read(self) -> None:
        """Go on to the present end.

        Raises:
            SpoolError: a file can't be read.
        """
        for writer in writers(self.spool):
            before = self._positions.get(writer)
            if before is not None and not segment_path(self.spool / writer, before.segment).exists():
                self.missed += 1  # what came after the place where reading stopped
            self._read(writer)

    def _read(self, writer: str) -> None:
        for position, frame in read_frames(self.spool / writer, self._positions.get(writer), on_damage=self._damage):
            before = self._positions.get(writer, Position(0, 0))
            self.missed += max(0, position.segment - before.segment - 1)
            self._positions[writer] = position
            self.outcomes += frame["t"] == "outcome"
            self.assignments += frame["t"] == "assignment"

    def _damage(self, _: object) -> None:
        self.damaged += 1
