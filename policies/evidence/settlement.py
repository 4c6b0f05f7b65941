"""Outcomes in the order of assignment.

Arrival order lies: where a candidate's failures take a second and production's a minute, the candidate looks broken
for the first minute whatever the truth. So a unit waits in the queue behind those assigned before it, until it has
settled or its deadline has passed. Whether it settled in time depends on its own times alone, never on when somebody
looked: the same assignments and outcomes give the same sequence, live and in a replay.

Where silence is no failure, every unit waits for its whole deadline: at 2,000 a second and 120 seconds, a quarter of a
million of them. So a unit is no object here but a place in columns that all queues share, and a queue keeps only what
has settled in it.
"""

from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

_TRIMMED: Final = 1024  # places that may lie unused before the columns are moved up


class Unit(NamedTuple):
    """A unit as it leaves a queue: assigned at `at` (Unix seconds); `q` is the propensity."""

    name: str
    at: float
    challenger: bool
    q: float
    failure: str | None


class Roll:
    """Units in the order of their assignment, with the deadline (seconds after it) that holds for all of them."""

    __slots__ = ("_at", "_first", "_names", "_places", "_queues", "_side", "_sides", "deadline_s")

    def __init__(self, deadline_s: float) -> None:
        self.deadline_s = deadline_s
        self._queues: list[Settlement] = []
        self._places: dict[str, int] = {}
        self._first = 0  # the place of the columns' beginning
        self._names: list[str] = []
        self._at = array("d")
        self._sides: list[tuple[bool, float]] = []
        self._side: dict[bool, tuple[bool, float]] = {}  # the one used last, to be shared: they change once a second

    @property
    def end(self) -> int:
        """The place of the next unit."""
        return self._first + len(self._names)

    def assigned(self, name: str, at: float, challenger: bool, q: float) -> None:
        """Append a unit; `at` must not fall from one call to the next."""
        side = self._side.get(challenger)
        if side is None or side[1] != q:
            side = self._side[challenger] = (challenger, q)
        self._places[name] = self.end
        self._names.append(name)
        self._at.append(at)
        self._sides.append(side)

    def joined(self, queue: "Settlement") -> None:
        """A queue that units wait in, too."""
        self._queues.append(queue)

    def place(self, name: str) -> int | None:
        """Where a unit stands; None where it is not known, or no longer."""
        return self._places.get(name)

    def at(self, place: int) -> float:
        """When the unit of that place was assigned."""
        return self._at[place - self._first]

    def unit(self, place: int, failure: str | None) -> Unit:
        """The unit of that place, with what came of it."""
        i = place - self._first
        return Unit(self._names[i], self._at[i], *self._sides[i], failure)

    def left(self) -> None:
        """A queue has let units go: forget those that no queue has."""
        spent = min(queue.place for queue in self._queues) - self._first
        if spent < max(_TRIMMED, len(self._names) // 8):
            return
        for place, name in enumerate(self._names[:spent], self._first):
            if self._places.get(name) == place:
                del self._places[name]
        del self._names[:spent], self._at[:spent], self._sides[:spent]
        self._first += spent


class Settlement:
    """One queue of a roll's units: those that wait for one kind of outcome.

    `expired` is the failure that a unit gets when it has not settled in time; None means that silence is no failure.
    """

    __slots__ = ("_expired", "_roll", "_settled", "place")

    def __init__(self, roll: Roll, *, expired: str | None) -> None:
        self._roll = roll
        self._expired = expired
        self._settled: dict[int, str | None] = {}
        self.place = roll.end  # of the first that waits
        roll.joined(self)

    def __len__(self) -> int:
        return self._roll.end - self.place

    def settle(self, name: str, failure: str | None, now: float) -> None:
        """The unit's outcome: the first one within the deadline counts, anything else is ignored."""
        roll = self._roll
        place = roll.place(name)
        if place is not None and place >= self.place and now <= roll.at(place) + roll.deadline_s:
            self._settled.setdefault(place, failure)

    def ready(self, now: float) -> Iterator[Unit]:
        """Take out, in order of assignment, the units before the first that still waits at `now`."""
        roll, settled, deadline_s = self._roll, self._settled, self._roll.deadline_s
        while self.place < roll.end:
            place = self.place
            if place in settled:
                failure = settled.pop(place)
            elif now <= roll.at(place) + deadline_s:
                break
            else:
                failure = self._expired
            unit = roll.unit(place, failure)
            self.place = place + 1
            yield unit
        roll.left()

    def watermark(self, now: float) -> float:
        """Everything assigned before this time (Unix seconds) has been taken out."""
        return self._roll.at(self.place) if len(self) else now
