"""One writer's records of one policy, each checked as it is met: odds, draw, arm, failure class and reward."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from policies.assignment import Shares, uniform
from policies.factorial import share_of_each
from policies.fitness import reward_value
from policies.outcome import FailureClass, Observed, classify
from policies.verification.report import DiffersError, Report
from policies.verification.salts import Salts
from policies.verification.terms import Terms, Timeline

Frame = Mapping[str, Any]

FRESH = frozenset({"draw", "only"})  # what moves posteriors and evidence: a unit's first request
_PRODUCTION = frozenset({"middle", "only", "frozen", "fell_open"})
_REMEMBERED = 200_000  # units whose arm is known
_ROUNDING = 1e-9
# What the answer itself showed: it is in no derived field, so the class stands as recorded.
_SEEN = frozenset({"fell_open", "fell_back", "client_gone", "transport", "cut_short", "refusal", "judged_bad"})


class Arms:
    """The arm that each conversation of a policy had last, whichever worker served it: workers share their pins."""

    __slots__ = ("_old", "_young")

    def __init__(self) -> None:
        self._young: dict[str, str] = {}
        self._old: dict[str, str] = {}  # two generations, so that forgetting is cheap

    def get(self, unit: str) -> str | None:
        """None where it is not known, or was so long ago that it is not known any more."""
        return self._young.get(unit) or self._old.get(unit)

    def put(self, unit: str, arm: str) -> None:
        """It has this arm now."""
        self._young[unit] = arm
        if len(self._young) >= _REMEMBERED:
            self._young, self._old = {}, self._young


class Stream:
    """`known` says whether the registry has an experiment of that id, `held` the shares of the policy's holdbacks.

    `layers`: in how many of them candidates were in canary at the same time, at most.
    """

    def __init__(
        self,
        timeline: Timeline,
        salts: Salts | None,
        *,
        known: Callable[[str], bool],
        held: Sequence[float],
        layers: int,
        pins: "Arms",
        report: Report,
    ) -> None:
        self._timeline = timeline
        self._salts = salts
        self._known = known
        self._held = held
        self._layers = layers
        self._right = report.right
        self._left_out = report.left_out
        self._arms: list[Any] = []  # the odds last met
        self.shares = Shares(("",), (1.0,))
        self._pins = pins

    # -- assignments -------------------------------------------------------------------------------------------

    def assignment(self, frame: Frame) -> None:
        """Check one.

        Raises:
            DiffersError: it does not come out again.
        """
        why, arm, unit = frame["why"], frame["arm"], frame["unit"]
        if frame["first"] is not (why == "draw" and frame["experiment"] is not None):
            raise DiffersError(_name(frame), f"first, of a unit met by '{why}'", frame["first"], not frame["first"])
        if frame["experiment"] is not None and not self._known(frame["experiment"]):
            raise DiffersError(_name(frame), "experiment", frame["experiment"], "none of that id in the registry")
        if why == "draw":
            if frame["arms"] != self._arms:
                self._take(frame)
            self._draw(frame, arm, unit)
        elif frame["arms"] != [[arm, 1.0]]:
            raise DiffersError(_name(frame), f"odds, of a unit met by '{why}'", frame["arms"], [[arm, 1.0]])
        elif why == "pin":
            self._pinned(frame, arm, unit)
        elif why in _PRODUCTION and frame["role"] != "production":
            raise DiffersError(_name(frame), f"role, of a unit met by '{why}'", frame["role"], "production")
        if why != "fell_open":
            self._pins.put(unit, arm)

    def _take(self, frame: Frame) -> None:
        """Odds that were not met just before."""
        arms = tuple(arm for arm, _ in frame["arms"])
        odds = tuple(share for _, share in frame["arms"])
        try:
            self.shares = Shares(arms, odds)
        except ValueError as error:
            raise DiffersError(_name(frame), "odds", odds, str(error)) from error
        choices = self._timeline.at(frame["at"])
        least = min((_least(len(arms) - 1, terms, self._held, self._layers) for terms in choices), default=0.0)
        if min(odds) < least - _ROUNDING:
            raise DiffersError(_name(frame), "smallest of the odds", min(odds), f"a floor of {least}")
        self._arms = frame["arms"]
        self._right["odds"] += 1

    def _draw(self, frame: Frame, arm: str, unit: str) -> None:
        if self._salts is None:
            self._left_out["draws: the secret that keys them is not in this folder"] += 1
            return
        named = frame.get("salt", "")
        salts = self._salts.at(frame["at"], named)
        if not salts and named and frame["at"] >= self._salts.since:
            raise DiffersError(_name(frame), "salt", named, "none of the comparisons on record")
        if not salts:
            self._left_out["draws: their salt is older than the trail"] += 1
            return
        shares = self.shares
        drawn = ""
        for salt in salts:
            drawn = shares.arms[shares.index(uniform(salt, unit))]
            if drawn == arm:
                self._right["draws"] += 1
                return
        raise DiffersError(_name(frame), "arm drawn", arm, drawn)

    def _pinned(self, frame: Frame, arm: str, unit: str) -> None:
        known = self._pins.get(unit)
        if known is None:
            self._left_out["pins: the conversation's beginning is not on record"] += 1
        elif known != arm:
            raise DiffersError(_name(frame), "arm of a pinned conversation", arm, known)
        else:
            self._right["pins"] += 1

    # -- outcomes ----------------------------------------------------------------------------------------------

    def outcome(self, frame: Frame, name: str, at: float) -> None:
        """Check the class and the reward of an answer to a request of the time `at`; shadow answers likewise.

        Raises:
            DiffersError: they do not come out again by any terms of that time.
        """
        choices = self._timeline.at(at)
        if not choices:
            self._left_out["rewards: the terms of their time are not on record"] += 1
            return
        for terms in choices:
            if _reward(frame, terms) == frame["reward"] and _class(frame, terms) == frame["failure"]:
                self._right["outcomes"] += 1
                return
        terms = choices[0]
        for what, computed in (("failure", _class(frame, terms)), ("reward", _reward(frame, terms))):
            if computed != frame[what]:
                raise DiffersError(name, what, frame[what], computed)


def _reward(frame: Frame, terms: Terms) -> float | None:
    return reward_value(
        failure=frame["failure"],
        validators=frame["validators"],
        score=None,
        latency_ms=frame["last_byte_ms"],
        output_tokens=frame["output_tokens"],
        repairs=frame["repairs"],
        cost_usd=frame["cost_usd"],
        weights=terms.weights,
        gates=terms.gates,
    )


def _class(frame: Frame, terms: Terms) -> str | None:
    """The class by status, validators and budgets, unless it rests on what only the answer showed."""
    failure, status = frame["failure"], frame["status"]
    if failure in _SEEN or (failure == FailureClass.SERVER_ERROR and 200 <= status < 300):
        return str(failure)
    if failure == FailureClass.TOO_SLOW and status < 300 and frame["last_byte_ms"] > terms.p95_ms:
        return str(failure)  # a client that hung up after the budget had passed counts as one, whatever had come
    observed = Observed(
        status=status,
        latency_ms=frame["last_byte_ms"],
        cost_usd=frame["cost_usd"],
        validators=frame["validators"],
    )
    found, _ = classify(
        observed,
        p95_ms=terms.p95_ms,
        usd_per_request=terms.usd_per_request,
        validator_gate=terms.gates.validator_score,
    )
    return found.value if found is not None else None


def _least(challengers: int, terms: Terms, held: Sequence[float], layers: int) -> float:
    """The smallest share that an arm may have; `held` are the shares of holdbacks, to which the rest yields.

    Candidates of several layers are drawn independently: a combination of them all has the product of their floors.
    """
    budget = 1.0 - share_of_each(terms.production_share, layers)
    floor = min(terms.floor, budget / max(challengers, 1)) ** layers
    return min([floor * (1.0 - max(held, default=0.0)), *held])


def _name(frame: Frame) -> str:
    return f"assignment {frame['id']}"
