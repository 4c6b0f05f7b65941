"""A hard budget: what a call may cost at most is reserved before it is made and settled afterwards.

1. `spent + reserved` never exceeds the limit, in calls or in dollars.
2. A call that cost more than was reserved for it closes the budget: the promise behind reservations was wrong.
"""

from dataclasses import dataclass

from policies.errors import EvoGateError

_ROUNDING = 1e-9  # dollars; sums of floats


class OverrunError(EvoGateError):
    """A call cost more than its ceiling; the budget that it was charged to is closed."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Calls and US dollars set aside."""

    calls: int
    usd: float


class Budget:
    """Calls and US dollars that may be spent. Not shared between threads."""

    def __init__(self, *, calls: int, usd: float) -> None:
        self.limit = Reservation(calls, usd)
        self.calls = 0  # spent
        self.usd = 0.0  # spent
        self.closed = False
        self._reserved_calls = 0
        self._reserved_usd = 0.0

    def affordable(self, usd_each: float) -> int:
        """How many calls of that ceiling could still be reserved."""
        if self.closed:
            return 0
        calls = self.limit.calls - self.calls - self._reserved_calls
        left = self.limit.usd - self.usd - self._reserved_usd + _ROUNDING
        return max(0, calls if usd_each <= 0 else min(calls, int(left / usd_each)))

    def reserve(self, calls: int, usd: float) -> Reservation | None:
        """Set aside, or None where that could overshoot."""
        over_calls = self.calls + self._reserved_calls + calls > self.limit.calls
        over_usd = self.usd + self._reserved_usd + usd > self.limit.usd + _ROUNDING
        if self.closed or over_calls or over_usd:
            return None
        self._reserved_calls += calls
        self._reserved_usd += usd
        return Reservation(calls, usd)

    def settle(self, reservation: Reservation, *, calls: int, usd: float) -> None:
        """Replace a reservation by what was spent.

        Raises:
            OverrunError: more was spent than reserved.
        """
        self._reserved_calls -= reservation.calls
        self._reserved_usd = max(0.0, self._reserved_usd - reservation.usd)
        self.calls += calls
        self.usd += usd
        if calls > reservation.calls or usd > reservation.usd + _ROUNDING:
            self.closed = True
            raise OverrunError(
                f"{calls} calls cost ${usd:.6f} where at most {reservation.calls} and ${reservation.usd:.6f} were "
                "reserved; the search stops. Raise the ceiling per call."
            )
