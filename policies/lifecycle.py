"""A candidate's life as a transition table. Decisions elsewhere name an event; this table says where it leads."""

from itertools import pairwise
from typing import Literal, get_args

from policies.errors import ConflictError

# proposed: waits for its gates. gated: passed them, waits for the shadow. shadow: mirrored now. judged: shadow and
# judge passed, waits for its canary (and a yes, in mode `approve`). canary: serves its share, until it gives way to a
# better one (`rest`) or its proof is in. promoted: in production,
# watched beside its predecessor. confirmed: that has ended well; what shows later still takes it back.
State = Literal[
    "proposed",
    "gated",
    "shadow",
    "judged",
    "canary",
    "promoted",
    "confirmed",
    "rejected",
    "inconclusive",
    "rolled_back",
]
Event = Literal["pass", "fail", "expire", "rest", "trip", "override_canary", "override_promote", "override_reject"]

STATES: tuple[State, ...] = get_args(State)
ENDED: frozenset[State] = frozenset({"confirmed", "rejected", "inconclusive", "rolled_back"})
SERVING: frozenset[State] = frozenset({"canary"})

_ORDER: tuple[State, ...] = ("proposed", "gated", "shadow", "judged", "canary", "promoted", "confirmed")
_BEFORE_CANARY = _ORDER[: _ORDER.index("canary")]

TRANSITIONS: dict[tuple[State, Event], State] = {
    **{(here, "pass"): there for here, there in pairwise(_ORDER)},
    **{(state, "fail"): "rejected" for state in _BEFORE_CANARY},
    **{(state, "expire"): "inconclusive" for state in (*_BEFORE_CANARY, "canary")},
    ("canary", "rest"): "judged",
    **{(state, "trip"): "rolled_back" for state in ("canary", "promoted", "confirmed")},
    **{(state, "override_canary"): "canary" for state in _BEFORE_CANARY},
    **{(state, "override_promote"): "promoted" for state in (*_BEFORE_CANARY, "canary")},
    **{(state, "override_reject"): "rejected" for state in (*_BEFORE_CANARY, "canary")},
}


def advance(state: State, event: Event) -> State:
    """The state after `event`.

    Raises:
        ConflictError: the event is not possible in that state.
    """
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        possible = ", ".join(sorted(e for s, e in TRANSITIONS if s == state)) or "none, it has ended"
        raise ConflictError(f"a candidate in state '{state}' can't take '{event}'; possible: {possible}") from None
