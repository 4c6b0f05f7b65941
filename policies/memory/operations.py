"""What may be done to a memory: typed operations, each with its inverse.

An operation is the entries it takes away and those it puts in their place, whole. So applying one to a memory that has
changed meanwhile is refused, and applying its inverse afterwards gives back what was there, to the letter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from policies.errors import ConflictError
from policies.memory.entry import Entry

Kind = Literal["add", "forget", "merge", "split", "deprecate", "restore", "index", "unindex"]
KINDS: tuple[Kind, ...] = get_args(Kind)
INVERSE: Mapping[Kind, Kind] = {
    "add": "forget",
    "forget": "add",
    "merge": "split",
    "split": "merge",
    "deprecate": "restore",
    "restore": "deprecate",
    "index": "unindex",
    "unindex": "index",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One change, and why."""

    kind: Kind
    before: tuple[Entry, ...]
    after: tuple[Entry, ...]
    why: str = ""

    @property
    def inverse(self) -> "Operation":
        """What takes it back."""
        return Operation(INVERSE[self.kind], self.after, self.before, f"takes back: {self.why}" if self.why else "")

    @classmethod
    def add(cls, entry: Entry, why: str = "") -> Self:
        """A new entry."""
        return cls("add", (), (entry,), why)

    @classmethod
    def forget(cls, entry: Entry, why: str = "") -> Self:
        """An entry less, and nothing of it left in what comes after."""
        return cls("forget", (entry,), (), why)

    @classmethod
    def deprecate(cls, entry: Entry, why: str = "") -> Self:
        """It stays, and is retrieved no more."""
        return cls("deprecate", (entry,), (replace(entry, state="deprecated", why=why),), why)

    @classmethod
    def restore(cls, entry: Entry, why: str = "") -> Self:
        """It is retrieved again."""
        return cls("restore", (entry,), (replace(entry, state="active", why=""),), why)

    @classmethod
    def index(cls, entry: Entry, topics: Iterable[str], why: str = "") -> Self:
        """It is found by further words."""
        return cls("index", (entry,), (replace(entry, topics=_union(entry.topics, topics)),), why)

    @classmethod
    def merge(cls, kept: Entry, others: tuple[Entry, ...], why: str = "") -> Self:
        """One entry speaks for all: with their topics and sources. The others are deprecated."""
        topics = _union(kept.topics, *(entry.topics for entry in others))
        sources = _union(kept.sources, *(entry.sources for entry in others))
        merged = replace(kept, topics=topics, sources=sources)
        silent = (replace(entry, state="deprecated", why=f"merged into {kept.id}") for entry in others)
        return cls("merge", (kept, *others), (merged, *silent), why)

    def to_json(self) -> dict[str, Any]:
        """What is kept of it beside the snapshot, which has the texts."""
        names = {name: [entry.id for entry in side] for name, side in (("before", self.before), ("after", self.after))}
        return {"kind": self.kind, "why": self.why, **names}


def applied(entries: Iterable[Entry], operations: Iterable[Operation]) -> list[Entry]:
    """The entries after the operations, in the order of their ids.

    Raises:
        ConflictError: an operation is about an entry that is not there, or not as it was, or puts one in twice.
    """
    now = {entry.id: entry for entry in entries}
    for operation in operations:
        for entry in operation.before:
            if now.pop(entry.id, None) != entry:
                raise ConflictError(f"memory entry '{entry.id}' is not as it was; read it again and retry")
        for entry in operation.after:
            if entry.id in now:
                raise ConflictError(f"there is a memory entry '{entry.id}' already; give this one another id")
            now[entry.id] = entry
    return [now[name] for name in sorted(now)]


def _union(*groups: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for group in groups for word in group))
