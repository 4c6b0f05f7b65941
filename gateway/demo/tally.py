"""What the recordings say so far: every answer with its arm, its cost and the user's rating, read as it is written."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.recording.reader import tail
from gateway.recording.segments import Position
from policies.fitness import Gates, quality


@dataclass(slots=True)
class Answer:
    """One request of the demo's traffic, as recorded."""

    id: str
    at: float
    unit: str
    turn: int
    arm: str
    role: str
    why: str
    version: str
    candidate: str | None
    experiment: str | None
    settled: bool = False
    failure: str | None = None
    latency_ms: float = 0.0
    cost_usd: float = 0.0
    repairs: int = 0
    validators: dict[str, float] = field(default_factory=dict)
    score: float | None = None

    @property
    def quality(self) -> float | None:
        """0..1 by the validators that ran and the user's rating; 0 for a failure, None where it says nothing."""
        return quality(failure=self.failure, validators=self.validators, score=self.score, gates=Gates())

    @property
    def robust(self) -> bool:
        """Valid without a repair."""
        return self.failure is None and not self.repairs and min(self.validators.values(), default=1.0) >= 1.0


class Tally:
    """Grows with the spool; each `update` reads what is new."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool
        self._positions: dict[str, Position] = {}
        self.answers: dict[str, Answer] = {}

    def update(self) -> None:
        """Read on to the present end."""
        for writer, position, payload in tail(self._spool, self._positions):
            self._positions[writer] = position
            self._take(payload)

    def _take(self, payload: dict[str, Any]) -> None:
        if payload["t"] == "assignment":
            self.answers[payload["id"]] = Answer(**{name: payload[name] for name in _ASSIGNED})
            return
        answer = self.answers.get(payload["id"])
        if answer is None:
            return
        if payload["t"] == "outcome":
            answer.settled = True
            answer.failure = payload["failure"]
            answer.latency_ms, answer.cost_usd = payload["last_byte_ms"], payload["cost_usd"]
            answer.repairs, answer.validators = payload["repairs"], payload["validators"]
        elif payload["kind"] == "feedback":
            answer.score = payload["data"]["score"]

    def firsts(self, *, since: float, until: float = float("inf")) -> Iterator[Answer]:
        """First answers of the conversations that began in the time given: they are independent of one another."""
        for answer in self.answers.values():
            if answer.turn == 1 and answer.settled and since <= answer.at < until:
                yield answer


_ASSIGNED = ("id", "at", "unit", "turn", "arm", "role", "why", "version", "candidate", "experiment")
