"""JSON lines over standard input and output, between an optimizer and the world that it works in.

1. The world sends a task; the far side asks (`evaluate`, `vary`, `cross`), each with one answer, and ends with `found`
   or `error`. Tasks follow each other until the input ends.
2. A candidate is an object of texts by part. Only the world knows what they mean.
3. Whatever an optimizer prints goes to standard error: standard output is the protocol's alone.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

Candidate = dict[str, str]


@dataclass(frozen=True)
class Task:
    """One run. `slots` are the numbers of options of each decision, for optimizers that take decisions, not texts."""

    seed: int
    calls: int  # evaluations allowed, of one candidate on one example each
    start: Candidate
    examples: list[str]
    slots: list[int]
    options: dict[str, Any]


class World:
    """What an optimizer can ask."""

    def __init__(self) -> None:
        self._output = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.spent = 0  # evaluations asked for in this task

    def tasks(self, optimize: "Callable[[World, Task], tuple[Candidate, float]]") -> None:
        """Serve until the input ends."""
        while line := sys.stdin.readline():
            self.spent = 0
            try:
                found, reported = optimize(self, Task(**json.loads(line)))
                self._tell({"found": found, "reported": reported})
            except Exception:  # noqa: BLE001 - whatever an optimizer raises is told to the one who runs it
                self._tell({"error": traceback.format_exc()})

    def evaluate(self, candidate: Candidate, examples: Sequence[str]) -> list[dict[str, float]]:
        """Scores in the order of the examples: `quality` 0..1, `latency_ms`, `cost_usd`."""
        self.spent += len(examples)
        return list(self._ask({"evaluate": candidate, "examples": list(examples)})["scores"])

    def vary(self, candidate: Candidate, part: str | None = None) -> Candidate:
        """What the reflection model makes of it, in one part or in any."""
        return dict(self._ask({"vary": candidate, "part": part})["candidate"])

    def cross(self, candidate: Candidate, other: Candidate) -> Candidate:
        """What the reflection model makes of two."""
        return dict(self._ask({"cross": candidate, "other": other})["candidate"])

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        self._tell(question)
        answer: dict[str, Any] = json.loads(sys.stdin.readline())
        return answer

    def _tell(self, message: dict[str, Any]) -> None:
        self._output.write(json.dumps(message) + "\n")
        self._output.flush()
