"""Whether a spool is what its writer wrote: the hash chain (chain.py), computed again.

A segment that is gone is right only where its retirement is on record (retired.py) with the same links at both ends.
A torn tail of the last segment is what a kill leaves, and no flaw. After a flaw the check goes on behind it: each
flaw is named once.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal

from gateway.recording.chain import Head, Link, Running, first_link, parse
from gateway.recording.retired import Retired, read_retired
from gateway.recording.segments import Position, SegmentReader, segments

Kind = Literal["tampered", "missing", "order", "damaged", "unvouched"]


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something that the chain does not vouch for."""

    kind: Kind  # tampered: bytes changed; unvouched: records that no writer is known to have put there
    segment: int
    offset: int
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: segment {self.segment:08d}, offset {self.offset}: {self.detail}"


@dataclass(slots=True)
class ChainReport:
    """What `verify_chain` found. `unlinked`: records behind the last link, which only an anchor can vouch for."""

    segments: int = 0
    records: int = 0
    links: int = 0
    unlinked: int = 0
    anchors: int = 0  # those that were met and are right
    flaws: list[Flaw] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.flaws


def verify_chain(directory: Path, anchors: Iterable[Head] = ()) -> ChainReport:
    """Check one writer's folder, also while it is written to.

    `anchors`: heads of the chain (`SpoolWriter.head`) that were kept elsewhere; one within a retired segment says
    nothing any more and is passed over.

    Raises:
        SpoolError: a file can't be read.
    """
    heads = list(anchors)
    while True:
        oldest = segments(directory)[:1]
        report = _Check(directory, heads).run()
        if report.ok or segments(directory)[:1] == oldest:  # else a segment was retired while it was to be read
            return report


class _Check:
    def __init__(self, directory: Path, anchors: Iterable[Head]) -> None:
        self._directory = directory
        self._report = ChainReport()
        self._present = segments(directory)
        self._first = {number: first_link(directory, number) for number in self._present}
        self._retired = read_retired(directory)
        self._anchors: dict[int, dict[int, str]] = defaultdict(dict)
        for head in anchors:
            self._anchors[head.segment][head.offset] = head.link
        self._running: Running | None = None  # None: what comes next can't be compared with what came before
        self._chained = False  # whether a link was met: from there on there must be more

    def run(self) -> ChainReport:
        self._report.segments = len(self._present)
        for flawed in self._retired.flaws:
            self._flaw("tampered", flawed, 0, "the record of its retirement was changed")
        self._check_retired()
        for number in self._present:
            self._segment(number)
        self._missed_anchors()
        return self._report

    def _flaw(self, kind: Kind, segment: int, offset: int, detail: str) -> None:
        self._report.flaws.append(Flaw(kind, segment, offset, detail))

    # -- segments ----------------------------------------------------------------------------------------------

    def _segment(self, number: int) -> None:
        link = self._first[number]
        if self._passed(number):
            if next(iter(SegmentReader(self._directory, number)), None) is not None:
                self._flaw("unvouched", number, 0, "a write to it failed, and its writer went on elsewhere")
            return
        if link is not None and link.segment != number:
            self._flaw("order", number, 0, f"the file holds segment {link.segment:08d}")
            self._running = None
            self._frames(number, None)
            self._running = None
            return
        if link is None:
            self._without_link(number)
        else:
            self._junction(number, link)
        self._frames(number, self._end(number))

    def _passed(self, number: int) -> bool:
        """Whether the chain leads past a segment: its first batch failed, and the file could not be cut."""
        links = ((n, link) for n, link in self._first.items() if n > number and link is not None)
        following = next((link for n, link in links if link.segment == n), None)
        return following is not None and following.after.segment < number

    def _without_link(self, number: int) -> None:
        if next(iter(SegmentReader(self._directory, number, links=True)), None) is None:
            return  # just begun, or torn at once: the chain leads past it, or else its successor says what is missing
        if self._chained:
            self._flaw("tampered", number, 0, "the link at its beginning is gone")
        self._running = Running(Position(number, 0))

    def _junction(self, number: int, link: Link) -> None:
        """From the end of one segment to the beginning of the next."""
        before = link.after.segment
        if before == 0 or (self._running is not None and self._running.end == link.after):
            return  # the spool begins here, or the link itself will be compared
        if before in self._present:
            self._ended(before, link.after.offset)
        elif (retired := self._retired.of(before)) is None:
            self._flaw("missing", before, 0, f"segment {number:08d} comes behind it, and it was not retired")
        elif retired.ends not in {None, link.link}:
            self._flaw("tampered", number, 0, f"it does not go on from where the retired segment {before:08d} ended")
        self._running = None

    def _ended(self, number: int, recorded: int) -> None:
        if self._running is None:
            return
        found = self._running.end.offset if self._running.end.segment == number else 0
        if found < recorded:
            self._flaw("damaged", number, found, f"nothing can be read up to {recorded}, where its writer ended it")

    # -- frames ------------------------------------------------------------------------------------------------

    def _frames(self, number: int, end: int | None) -> None:
        anchors = self._anchors.get(number, {})
        running, comparable = self._running or Running(Position(number, 0)), self._running is not None
        reader = SegmentReader(self._directory, number, links=True)
        for position, payload in reader:
            if end is not None and position.offset > end:
                self._flaw("unvouched", number, end, "records behind the place where its writer ended it")
                break
            if (link := parse(payload)) is not None:
                self._compare(running if comparable else None, link)
                comparable = True
            else:
                self._report.records += 1
                self._report.unlinked += 1
            running.frame(position, payload)
            if position.offset in anchors:
                self._anchor(running, position, anchors.pop(position.offset))
        self._running = running if comparable else None
        if number == self._present[-1] and reader.broken:
            self._flaw("damaged", number, reader.offset, "what is there is no record")

    def _end(self, number: int) -> int | None:
        """Where the writer ended a segment, by the link in the next; None where nothing says so."""
        following = [link for n, link in self._first.items() if n > number and link is not None]
        return next((link.after.offset for link in following if link.after.segment == number), None)

    def _compare(self, running: Running | None, link: Link) -> None:
        self._report.links += 1
        self._report.unlinked = 0
        self._chained = True
        if running is None or running.hexdigest() == link.link:
            return
        segment, start = running.began
        self._flaw("tampered", segment, start, f"what stands from here to {_place(link.after)} was changed")

    def _anchor(self, running: Running, position: Position, expected: str) -> None:
        if running.hexdigest() == expected:
            self._report.anchors += 1
        else:
            self._flaw("tampered", position.segment, position.offset, "the chain differs from the head anchored here")

    # -- what is gone ------------------------------------------------------------------------------------------

    def _check_retired(self) -> None:
        """Retired segments follow one another without a gap, each from where the one before it ended."""
        gone = [row for row in self._retired.rows if row.segment not in self._present]
        for before, after in pairwise(gone):
            if after.segment == before.segment + 1 and not _joined(before, after):
                self._flaw("tampered", after.segment, 0, "its retirement does not go on from the one before it")

    def _missed_anchors(self) -> None:
        for segment, left in self._anchors.items():
            if not segment or (segment not in self._present and self._retired.of(segment) is not None):
                continue  # taken before the first record, or no longer to be checked
            for offset in left:
                self._flaw("missing", segment, offset, "a head is anchored here, and no record ends here")


def _joined(before: Retired, after: Retired) -> bool:
    return None in {before.ends, after.starts} or before.ends == after.starts


def _place(place: Position) -> str:
    return f"offset {place.offset} of segment {place.segment:08d}"
