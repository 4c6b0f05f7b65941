"""Pins: a conversation keeps its arm over turns and share changes, until it is idle or the arm is taken back."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol


@dataclass(slots=True, init=False)  # its `__init__` is written out to be native where compiled
class Pin:
    """What a unit was given. `seen` is the time (Unix seconds) of its latest request."""

    arm: str
    experiment: str | None
    role: str
    seen: float

    def __init__(self, arm: str, experiment: str | None, role: str, seen: float) -> None:
        self.arm = arm
        self.experiment = experiment
        self.role = role
        self.seen = seen


class PinTable(Protocol):
    """What units were given; see Pins for the rules."""

    def get(self, unit: str, now: float) -> Pin | None:
        """The unit's pin, renewed by being asked for; None where it has none or was idle too long."""

    def put(self, unit: str, pin: Pin, now: float) -> None:
        """Pin a unit, in place of what it had; the unit that has been silent longest makes room."""

    def drop_arm(self, arm: str) -> int:
        """Unpin every unit of an arm; how many there were."""

    def __len__(self) -> int: ...


class Pins:
    """A bounded table unit -> pin, least recently used first out.

    Args:
        limit: most units held at a time.
        idle_s: seconds after which a silent unit counts as a new conversation.
    """

    def __init__(self, *, limit: int = 100_000, idle_s: float = 1_800.0) -> None:
        self._limit = limit
        self._idle_s = idle_s
        self._pins: OrderedDict[str, Pin] = OrderedDict()

    def get(self, unit: str, now: float) -> Pin | None:
        """The unit's pin, renewed by being asked for; None where it has none or was idle too long."""
        pin = self._pins.get(unit)
        if pin is None:
            return None
        if now - pin.seen > self._idle_s:
            del self._pins[unit]
            return None
        pin.seen = now
        self._pins.move_to_end(unit)
        return pin

    def put(self, unit: str, pin: Pin, now: float) -> None:
        """Pin a unit, in place of what it had; the unit that has been silent longest makes room."""
        pin.seen = now
        known = unit in self._pins
        self._pins[unit] = pin
        if known:
            self._pins.move_to_end(unit)
        elif len(self._pins) > self._limit:
            self._pins.popitem(last=False)

    def drop_arm(self, arm: str) -> int:
        """Unpin every unit of an arm (a rollback breaks pins); how many there were."""
        units = [unit for unit, pin in self._pins.items() if pin.arm == arm]
        for unit in units:
            del self._pins[unit]
        return len(units)

    def __len__(self) -> int:
        return len(self._pins)
