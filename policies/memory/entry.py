"""What a memory holds: entries, and the hash that names a set of them."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

MAX_ENTRIES: Final = 200_000  # of one snapshot: more belong into a search engine beside the application

State = Literal["active", "deprecated"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing worth remembering.

    `topics` are words by which it is found as well. With an `answer` it is a worked example (a shot) and `text` is what
    was asked. `namespace` is the tenant that it belongs to; empty: it is for everybody. `sources` are ids of records.
    """

    id: str
    text: str
    topics: tuple[str, ...] = ()
    answer: str = ""
    namespace: str = ""
    sources: tuple[str, ...] = ()
    state: State = "active"
    why: str = ""  # it is deprecated

    @property
    def active(self) -> bool:
        """Whether it may be retrieved."""
        return self.state == "active"


def snapshot_hash(entries: Iterable[Entry]) -> str:
    """128-bit BLAKE2b of the active entries in the order of their ids, 32 hexadecimal digits."""
    return hash_in_order(sorted((entry for entry in entries if entry.active), key=order))


def hash_in_order(entries: Iterable[Entry]) -> str:
    """The same of active entries that stand in `order` already."""
    digest = hashlib.blake2b(digest_size=16)
    before = b"["
    for entry in entries:
        digest.update(before)
        digest.update(json.dumps(_row(entry), separators=(",", ":"), ensure_ascii=False).encode())
        before = b","
    digest.update(b"]" if before == b"," else b"[]")
    return digest.hexdigest()


def order(entry: Entry) -> tuple[Any, ...]:
    """What entries are sorted by: all that is served of them, the id first."""
    return entry.id, entry.text, entry.topics, entry.answer, entry.namespace


def _row(entry: Entry) -> list[Any]:
    """What is served of it. Answer and namespace stand apart, so that plain entries keep the hash that they had."""
    row = [entry.id, entry.text, *entry.topics]
    return [*row, [entry.answer, entry.namespace]] if entry.answer or entry.namespace else row
