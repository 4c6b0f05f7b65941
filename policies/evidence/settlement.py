"""Outcomes in the order of assignment.

Arrival order lies: where a candidate's failures take a second and production's a minute, the candidate looks broken
for the first minute whatever the truth. So a unit waits in the queue behind those assigned before it, until it has
settled or its deadline has passed. Whether it settled in time depends on its own times alone, never on when somebody
looked: the same assignments and outcomes give the same sequence, live and in a replay.
"""

from collections import deque
from collections.abc import Iterator


class Unit:
    """One unit's way through the queue: assigned at `at`, decided `until` (Unix seconds); `q` is the propensity."""

    __slots__ = ("at", "challenger", "failure", "name", "q", "settled", "until")

    def __init__(self, name: str, at: float, until: float, challenger: bool, q: float) -> None:
        self.name = name
        self.at = at
        self.until = until
        self.challenger = challenger
        self.q = q
        self.settled = False
        self.failure: str | None = None


class Settlement:
    """A queue of units with a deadline (seconds after assignment).

    `expired` is the failure that a unit gets when it has not settled in time; None means that silence is no failure.
    """

    __slots__ = ("_deadline_s", "_expired", "_queue", "_waiting")

    def __init__(self, deadline_s: float, *, expired: str | None) -> None:
        self._deadline_s = deadline_s
        self._expired = expired
        self._queue: deque[Unit] = deque()
        self._waiting: dict[str, Unit] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def assigned(self, name: str, at: float, challenger: bool, q: float) -> None:
        """Append a unit that is not in the queue; `at` must not fall from one call to the next."""
        unit = Unit(name, at, at + self._deadline_s, challenger, q)
        self._queue.append(unit)
        self._waiting[name] = unit

    def settle(self, name: str, failure: str | None, now: float) -> None:
        """The unit's outcome: the first one within the deadline counts, anything else is ignored."""
        unit = self._waiting.get(name)
        if unit is not None and not unit.settled and now <= unit.until:
            unit.settled = True
            unit.failure = failure

    def ready(self, now: float) -> Iterator[Unit]:
        """Take out, in order of assignment, the units before the first that still waits at `now`."""
        queue, waiting = self._queue, self._waiting
        while queue:
            unit = queue[0]
            if not unit.settled:
                if now <= unit.until:
                    return
                unit.failure = self._expired
            queue.popleft()
            del waiting[unit.name]
            yield unit

    def watermark(self, now: float) -> float:
        """Everything assigned before this time (Unix seconds) has been taken out."""
        return self._queue[0].at if self._queue else now
