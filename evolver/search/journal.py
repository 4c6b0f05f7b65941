"""What a search has paid for, on disk as it goes, so that a killed search goes on and pays for nothing twice.

1. The first line is the plan: everything that decides how the search goes, the state of its random numbers included.
2. An evaluation is announced before it is made and entered once it is answered, each as one line that survives the
   process.
3. A resumed search runs anew from its plan. What is entered is answered and charged from here, so it takes the same
   turns; what was announced and never entered may have been paid for: it is charged as announced and not answered,
   like an evaluation that failed.
4. Each generation leaves a line for whoever looks; resuming does not need it.
"""

import json
import os
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

from evolver.search.values import Generation, Score
from policies.errors import OperatorError

Key = tuple[str, tuple[str, ...]]  # content hash of the genome, ids of the examples


@dataclass(frozen=True, slots=True)
class Attempt:
    """One evaluation: what was reserved for it, its scores (None: it failed, or nobody knows), and what it cost."""

    calls: int
    usd: float
    scores: list[Score] | None = None
    fault: str = "it was under way when the process ended"


class Journal:
    """An open journal. Not shared between searches."""

    def __init__(self, file: BinaryIO, path: Path, lines: Sequence[dict[str, Any]]) -> None:
        self.path = path
        self.plan: dict[str, Any] = lines[0]["plan"]
        self._file = file
        self._past = _attempts(lines[1:])

    @classmethod
    def begin(cls, path: Path, plan: dict[str, Any]) -> Self:
        """A new journal in place of any other.

        Raises:
            OperatorError: the file can't be written.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            file = os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600), "ab")
        except OSError as error:
            raise OperatorError(f"the search can't keep its journal {path}: {error.strerror}") from error
        head = {"plan": plan}
        journal = cls(file, path, [json.loads(json.dumps(head))])
        journal._write(head)
        return journal

    @classmethod
    def resume(cls, path: Path) -> Self | None:
        """The journal of a search that did not end; None where there is none that can be read."""
        try:
            lines, size = _whole(path.read_bytes())
            if not lines or not all(isinstance(line, dict) for line in lines) or not isinstance(lines[0]["plan"], dict):
                return None
            os.truncate(path, size)  # a line that was cut by the kill
            return cls(path.open("ab"), path, lines)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def next(self, key: Key) -> Attempt | None:
        """The next attempt at this evaluation that was made before the process ended; None where it is new."""
        waiting = self._past.get(key)
        return waiting.popleft() if waiting else None

    def announce(self, key: Key, calls: int, usd: float) -> None:
        """About to be made, at that price at most."""
        self._write({"announced": key, "calls": calls, "usd": usd})

    def enter(self, key: Key, attempt: Attempt) -> None:
        """It was answered, or failed."""
        self._write({"entered": key, **asdict(attempt)})

    def generation(self, line: Generation) -> None:
        """A generation is over."""
        self._write({"generation": asdict(line)})

    def close(self, *, done: bool) -> None:
        """Close; a search that is done leaves nothing to resume."""
        self._file.close()
        if done:
            self.path.unlink(missing_ok=True)

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line).encode() + b"\n")
        self._file.flush()


def _whole(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The lines that are complete, and how many bytes they take."""
    size = data.rfind(b"\n") + 1
    return [json.loads(line) for line in data[:size].splitlines()], size


def _attempts(lines: Sequence[dict[str, Any]]) -> dict[Key, deque[Attempt]]:
    """Attempts by key, in their order. Of one key at most one is under way at a time."""
    found: dict[Key, deque[Attempt]] = defaultdict(deque)
    for line in lines:
        if "announced" in line:
            found[_key(line["announced"])].append(Attempt(line["calls"], line["usd"]))
        elif "entered" in line:
            scores = None if line["scores"] is None else [Score(**score) for score in line["scores"]]
            found[_key(line["entered"])][-1] = Attempt(line["calls"], line["usd"], scores, line["fault"])
    return dict(found)


def _key(value: Sequence[Any]) -> Key:
    return str(value[0]), tuple(value[1])
