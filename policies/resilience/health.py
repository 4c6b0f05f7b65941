"""An upstream's health: a circuit that opens on failures, is tried again after a growing back-off, and closes again.

1. Closed, everything passes. `consecutive` failures in a row, or `rate` of at least `min_requests` results in the
   window, open it.
2. Open, nothing passes until the back-off is over: `backoff_s`, doubled each time it opens again before it has been
   closed for a window, up to `max_backoff_s`, minus up to a half at random, so that workers don't return in step.
   A `retry-after` that came with the failure is waited for as well, up to `max_backoff_s`.
3. Half open, at most `probes` requests are on their way at a time. `proofs` answers that have begun well close it, the
   first failure opens it again. An answer counts from its head, since a stream may take minutes to its end.
4. A 429 with `retry-after` pauses an upstream that is called with our own key, and changes nothing else. With the
   clients' own keys it is one client's affair.
5. A result counts only for the state in which its request was admitted: what ends late says nothing about now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from policies.resilience.rules import HealthRules
from policies.resilience.troubles import Counts

_JITTER: Final = 0.5
_DOUBLINGS: Final = 20  # beyond any cap, and no overflow


class State(Enum):
    """The circuit."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(Enum):
    """What moves it."""

    TRIPPED = "tripped"  # too many failures
    RESTED = "rested"  # the back-off is over
    PROVED = "proved"  # enough probes went well
    FAILED = "failed"  # a probe did not


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.CLOSED, Event.TRIPPED): State.OPEN,
    (State.OPEN, Event.RESTED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.PROVED): State.CLOSED,
    (State.HALF_OPEN, Event.FAILED): State.OPEN,
}


class Permit:
    """Leave to send one request. Requests that one closed circuit admits share it; each probe has its own."""

    __slots__ = ("probe",)

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe


_NONE: Final = Permit(probe=False)  # while the circuit is not closed: nobody holds it


@dataclass(frozen=True, slots=True)
class Unwell:
    """No request is admitted for about that long, in seconds."""

    paused: bool  # by the upstream's own word, else by its failures
    retry_after_s: float


class Health:
    """One upstream's. `now` is any clock in seconds that does not step back.

    Args:
        rules: the thresholds.
        rng: uniform on [0, 1), for the jitter.
        own_key: the upstream is called with our own key, so that its 429s concern all requests.
    """

    __slots__ = (
        "_bad", "_closed_at", "_good", "_half", "_in_a_row", "_openings", "_own_key", "_paused_until", "_permit",
        "_probes", "_proofs", "_rng", "_rolls_at", "_rules", "_until", "state",
    )  # fmt: skip

    def __init__(self, rules: HealthRules, rng: Callable[[], float], *, own_key: bool) -> None:
        self._rules = rules
        self._rng = rng
        self._own_key = own_key
        self._paused_until = self._until = self._closed_at = self._rolls_at = float("-inf")
        self._openings = self._proofs = 0
        self._probes: set[Permit] = set()
        self.state = State.CLOSED
        self._permit = Permit(probe=False)
        self._in_a_row = self._good = self._bad = 0  # in this half of the window
        self._half = (0, 0)  # good and bad in the one before

    def admit(self, now: float) -> Permit | Unwell:
        """Leave for one request, which must be followed by `ended`; or for how long there is none."""
        if self.state is State.CLOSED and now >= self._paused_until:
            return self._permit
        return self._admit_anxiously(now)

    def available(self, now: float) -> bool:
        """Whether `admit` would say yes."""
        if now < self._paused_until:
            return False
        if self.state is State.OPEN:
            return now >= self._until
        return self.state is State.CLOSED or len(self._probes) < self._rules.probes

    def began(self, permit: Permit, now: float) -> None:
        """A good head has come. Worth a call for a probe (`permit.probe`); its end adds nothing then."""
        if permit in self._probes:
            self._probes.remove(permit)
            self._prove(now)

    def ended(self, permit: Permit, counts: Counts, now: float, retry_after_s: float | None = None) -> None:
        """The request is over; once for each permit."""
        if counts is Counts.PAUSE:
            self._pause(now, retry_after_s)
        if permit is not self._permit:
            self._probed(permit, counts, now, retry_after_s)
        elif counts is Counts.BAD:
            self._failed(now, retry_after_s)
        elif counts is not Counts.NOTHING:
            if now >= self._rolls_at:
                self._roll(now)
            self._good += 1
            self._in_a_row = 0

    # Inside

    def _admit_anxiously(self, now: float) -> Permit | Unwell:
        if now < self._paused_until:
            return Unwell(paused=True, retry_after_s=self._paused_until - now)
        if self.state is State.OPEN:
            if now < self._until:
                return Unwell(paused=False, retry_after_s=self._until - now)
            self._move(Event.RESTED, now)
        if len(self._probes) >= self._rules.probes:
            return Unwell(paused=False, retry_after_s=self._rules.backoff_s)
        permit = Permit(probe=True)
        self._probes.add(permit)
        return permit

    def _probed(self, permit: Permit, counts: Counts, now: float, retry_after_s: float | None) -> None:
        if permit not in self._probes:
            return
        self._probes.remove(permit)
        if counts is Counts.BAD:
            self._move(Event.FAILED, now, retry_after_s)
        elif counts is not Counts.NOTHING:
            self._prove(now)

    def _prove(self, now: float) -> None:
        self._proofs += 1
        if self._proofs >= self._rules.proofs:
            self._move(Event.PROVED, now)

    def _failed(self, now: float, retry_after_s: float | None) -> None:
        if now >= self._rolls_at:
            self._roll(now)
        self._bad += 1
        self._in_a_row += 1
        rules = self._rules
        good, bad = (last + this for last, this in zip(self._half, (self._good, self._bad), strict=True))
        too_often = good + bad >= rules.min_requests and bad >= rules.rate * (good + bad)
        if too_often or self._in_a_row >= rules.consecutive:
            if now - self._closed_at > rules.window_s:
                self._openings = 0
            self._move(Event.TRIPPED, now, retry_after_s)

    def _roll(self, now: float) -> None:
        """Begin another half of the window; the half before the last is forgotten."""
        width = self._rules.window_s / 2.0
        recent = now < self._rolls_at + width
        self._half = (self._good, self._bad) if recent else (0, 0)
        self._good = self._bad = 0
        self._rolls_at = now + width

    def _pause(self, now: float, retry_after_s: float | None) -> None:
        if self._own_key and retry_after_s is not None:
            self._paused_until = max(self._paused_until, now + min(retry_after_s, self._rules.max_pause_s))

    def _move(self, event: Event, now: float, retry_after_s: float | None = None) -> None:
        self.state = TRANSITIONS[self.state, event]
        self._probes, self._proofs = set(), 0
        if self.state is State.OPEN:
            self._open(now, retry_after_s)
        elif self.state is State.CLOSED:
            self._closed_at = now
            self._permit = Permit(probe=False)
            self._in_a_row = self._good = self._bad = 0
            self._half = (0, 0)

    def _open(self, now: float, retry_after_s: float | None) -> None:
        rules = self._rules
        grown = min(rules.max_backoff_s, rules.backoff_s * 2.0 ** min(self._openings, _DOUBLINGS))
        wait = grown * (1.0 - _JITTER * self._rng())
        self._until = now + max(wait, min(retry_after_s or 0.0, rules.max_backoff_s))
        self._openings += 1
        self._permit = _NONE
