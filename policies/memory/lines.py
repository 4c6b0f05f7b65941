"""Entries as JSON lines, for files, for people and (packed) for the registry."""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from policies.errors import OperatorError
from policies.memory.entry import MAX_ENTRIES, Entry, State

SHAPE = '{"id", "text"} and perhaps "topics", "answer", "namespace", "sources", "state", "why"'
_OPTIONAL = ("topics", "answer", "namespace", "sources", "why")
_STATES: tuple[State, ...] = ("active", "deprecated")


def to_lines(entries: Iterable[Entry]) -> Iterator[bytes]:
    """One line each, with its end; what is as by default is left out."""
    for entry in entries:
        row: dict[str, Any] = {"id": entry.id, "text": entry.text}
        row |= {name: value for name in _OPTIONAL if (value := getattr(entry, name))}
        if not entry.active:
            row["state"] = entry.state
        yield orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE)


def from_lines(data: bytes, where: str) -> Iterator[Entry]:
    """The entries of JSON lines; empty lines are passed over.

    Raises:
        OperatorError: a line is no entry, an id comes twice, or there are too many; `where` is in the message.
    """
    seen: set[str] = set()
    lines = data.splitlines()
    if sum(map(bool, map(bytes.strip, lines))) > MAX_ENTRIES:  # said before anybody indexes the first of them
        raise OperatorError(
            f"{where}: holds more than {MAX_ENTRIES:,} entries; keep those that matter, and leave the rest to a "
            "search engine beside the application"
        )
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        entry = _entry(line, f"{where}, line {number}")
        if entry.id in seen:
            raise OperatorError(f"{where}, line {number}: there is an entry '{entry.id}' already; ids must differ")
        seen.add(entry.id)
        yield entry


def _entry(line: bytes, where: str) -> Entry:
    try:
        row = orjson.loads(line)
        state = row.get("state", "active")
        if state not in _STATES:
            raise OperatorError(f"{where}: the state '{state}' is neither {' nor '.join(_STATES)}")
        topics, sources = (tuple(map(str, row.get(name) or ())) for name in ("topics", "sources"))
        answer, namespace, why = (str(row.get(name) or "") for name in ("answer", "namespace", "why"))
        return Entry(str(row["id"]), str(row["text"]), topics, answer, namespace, sources, state, why)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(f"{where}: not {SHAPE} ({error})") from error


def pack(entries: Iterable[Entry]) -> bytes:
    """Compressed lines, in the order given."""
    return zlib.compress(b"".join(to_lines(entries)), 6)


def unpack(content: bytes, where: str) -> Iterator[Entry]:
    """The entries of packed lines.

    Raises:
        OperatorError: they are damaged.
    """
    try:
        data = zlib.decompress(content)
    except zlib.error as error:
        raise OperatorError(f"{where}: can't be unpacked ({error}); restore an older version of the memory") from error
    yield from from_lines(data, where)
