"""The hash chain over one writer's spool: links between the records, each vouching for all that came before it.

1. A link is a frame `{"t":"chain","v","boot","segment","after","link"}`. `link` is the BLAKE2b of all bytes from the
   previous link, that frame included, up to `after`, where the link itself stands; `segment` is the link's own.
2. Each segment begins with a link. Its `after` is where the segment before it ended, so that a missing, renamed or cut
   segment shows, and so that the rest of a chain can be checked when its beginning is retired.
3. Within a segment a link follows each `LINK_BYTES` or so, to say where something was changed, and at a close.
4. A writer that starts goes on from what it finds: a chain leads through all boots. `boot` names the one that wrote.
5. Where there is no link (spools written before there was a chain), the hash begins with the segment.

Anybody who can write the files can compute a chain, too. What proves is a head of it that is kept elsewhere.
"""

import hashlib
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from gateway.recording.segments import Position, SegmentReader, segments
from gateway.recording.wire import header, is_link

VERSION: Final = 1
LINK_BYTES: Final = 64 << 10
_DIGEST_BYTES: Final = 32
_FIRST_BYTES: Final = 512  # holds a link


class Link(NamedTuple):
    """A link as recorded."""

    boot: str
    segment: int
    after: Position
    link: str


class Head(NamedTuple):
    """How far a chain has come: in JSON `list(head)`, back `Head(*value)`. Kept elsewhere it anchors the chain."""

    boot: str
    segment: int
    offset: int
    link: str  # BLAKE2b, 64 hexadecimal digits, of what stands between the last link and this place


class Chain:
    """The writer's side: what to put before a batch, and what was written."""

    def __init__(self, boot: str, running: "Running") -> None:
        self._boot = boot
        self._running = running
        self._since = 0  # bytes since the last link

    @property
    def pending(self) -> bool:
        """Whether there are bytes that no link covers."""
        return self._since > 0

    def due(self, at: Position) -> bytes:
        """The link to write at `at` before the next batch; empty where none is due."""
        return self.link(at) if not at.offset or self._since >= LINK_BYTES else b""

    def link(self, at: Position) -> bytes:
        """A link, to be written at `at`."""
        after = at if at.offset else self._running.end
        payload = b'{"t":"chain","v":%d,"boot":"%s","segment":%d,"after":[%d,%d],"link":"%s"}' % (
            VERSION, self._boot.encode(), at.segment, *after, self._running.hexdigest().encode(),
        )  # fmt: skip
        return header(payload) + payload

    def wrote(self, link: bytes, batch: bytes, end: Position) -> None:
        """A batch is written, and the link before it where that is not empty."""
        if link:
            self._running.begin(Position(end.segment, end.offset - len(link) - len(batch)))
            self._running.add(link)
            self._since = 0
        self._running.add(batch)
        self._running.end = end
        self._since += len(batch)

    @property
    def head(self) -> Head:
        """The chain up to now."""
        return Head(self._boot, *self._running.end, self._running.hexdigest())


class Running:
    """The hash since the last link, and where it has come to."""

    def __init__(self, start: Position) -> None:
        self.end = start
        self.begin(start)

    def begin(self, at: Position) -> None:
        """At this place stands a link."""
        self.began = at
        self._hash = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def add(self, data: bytes) -> None:
        """Take bytes into the hash."""
        self._hash.update(data)

    def frame(self, position: Position, payload: bytes) -> None:
        """Take a frame that ends at `position`."""
        head = header(payload)
        if is_link(payload):
            self.begin(Position(position.segment, position.offset - len(head) - len(payload)))
        self.add(head)
        self.add(payload)
        self.end = position

    def hexdigest(self) -> str:
        """The hash, 64 digits."""
        return self._hash.hexdigest()


def resume(directory: Path) -> Running:
    """The chain of what a folder holds, at its end.

    Raises:
        SpoolError: the last segment can't be read.
    """
    for segment in reversed(segments(directory)):
        running = Running(Position(segment, 0))
        for position, payload in SegmentReader(directory, segment, links=True):
            running.frame(position, payload)
        if running.end.offset:
            return running
    return Running(Position(0, 0))


def first_link(directory: Path, segment: int) -> Link | None:
    """The link with which a segment begins; None where it has none, or nothing yet.

    Raises:
        SpoolError: the segment can't be read.
    """
    for _, payload in SegmentReader(directory, segment, chunk_bytes=_FIRST_BYTES, links=True):
        return parse(payload)
    return None


def parse(payload: bytes) -> Link | None:
    """The link that a frame holds; None where it is none that this version knows."""
    if not is_link(payload):
        return None
    try:
        value = orjson.loads(payload)
        if value["v"] > VERSION:
            return None
        return Link(str(value["boot"]), int(value["segment"]), Position(*map(int, value["after"])), str(value["link"]))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None
