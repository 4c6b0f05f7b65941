"""Memory files, read off the request path and kept until they change."""

from dataclasses import dataclass
from pathlib import Path

import orjson

from policies.errors import OperatorError
from policies.memory import Entry, Index, snapshot_hash


@dataclass(frozen=True, slots=True)
class Loaded:
    """A file's entries, ready to search, and the content hash that genomes name them by."""

    index: Index
    snapshot: str


class Memories:
    """What is in which file."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, Loaded]] = {}

    def __call__(self, name: str) -> Loaded:
        """The entries of a file of JSON lines, each `{"id", "text", "topics"}`.

        Raises:
            OperatorError: it can't be read, or a line is not an entry.
        """
        path = Path(name)
        try:
            stamp = path.stat().st_mtime_ns
            known = self._known.get(name)
            if known is not None and known[0] == stamp:
                return known[1]
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise OperatorError(f"memory_file {name}: can't be read ({error.strerror})") from error
        entries = [_entry(name, number, line) for number, line in enumerate(lines, 1) if line.strip()]
        loaded = Loaded(Index(entries), snapshot_hash(entries))
        self._known[name] = (stamp, loaded)
        return loaded


def _entry(name: str, number: int, line: bytes) -> Entry:
    try:
        value = orjson.loads(line)
        return Entry(str(value["id"]), str(value["text"]), tuple(map(str, value.get("topics", ()))))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise OperatorError(f'memory_file {name}, line {number}: not {{"id", "text", "topics"}} ({error})') from error
