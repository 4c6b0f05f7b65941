"""One writer's records as its live evidence took them: which retrials a request enters, settles and speaks of."""

from collections.abc import Mapping
from typing import Any

from policies.verification.breaker import Retrial
from policies.verification.stream import FRESH, Frame

_Entered = tuple[Retrial, ...]
_NOTHING: _Entered = ()


class Docket:
    """The retrials of one policy's rulings from one writer's records."""

    def __init__(self, retrials: list[Retrial]) -> None:
        self._retrials = retrials
        self._odds: list[Any] = []  # those last met
        self._entering: list[tuple[Retrial, float]] = []
        self._entered: dict[str, tuple[str, _Entered]] = {}  # request id -> unit, what it speaks of
        self._latest: dict[str, tuple[str, _Entered]] = {}  # unit -> arm, what its first turn entered

    def assignment(self, frame: Frame) -> None:
        """A request was assigned."""
        unit, arm, at = frame["unit"], frame["arm"], frame["at"]
        entered = _NOTHING
        if frame["why"] == "draw":
            if frame["arms"] != self._odds:
                self._take(frame["arms"])
            for retrial, q in self._entering:
                retrial.assigned(unit, at, arm=arm, q=q)
            entered = tuple(retrial for retrial, _ in self._entering)
        before = self._latest.get(unit)
        if not entered and before is not None and before[0] == arm:
            entered = before[1]
        if entered or before is not None:
            self._latest[unit] = (arm, entered)
        if entered:
            self._entered[frame["id"]] = (unit, entered)

    def _take(self, arms: list[Any]) -> None:
        self._odds = arms
        odds = dict(arms)
        shares = [(retrial, retrial.q(odds)) for retrial in self._retrials]
        self._entering = [(retrial, q) for retrial, q in shares if q is not None]

    def outcome(self, frame: Frame, asked: Mapping[str, Any]) -> None:
        """An answer to the request `asked` has ended; a unit's first one settles it."""
        unit, entered = self._entered.get(frame["id"], ("", _NOTHING))
        for retrial in entered:
            heard = retrial.settled if asked["why"] in FRESH else retrial.followed
            heard(unit, frame["failure"], frame["at"])

    def feedback(self, frame: Frame) -> None:
        """A user has said what an answer was worth."""
        unit, entered = self._entered.get(frame["id"], ("", _NOTHING))
        for retrial in entered:
            retrial.judged(unit, frame["data"]["score"], frame["at"])
