from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.errors import ConflictError
from policies.lifecycle import ENDED, SERVING, STATES, TRANSITIONS, Event, State, advance

EVENTS: tuple[Event, ...] = get_args(Event)

# Every way there is, written out: state -> {event: next state}. What is missing is refused.
EARLY = {"fail": "rejected", "expire": "inconclusive", "override_canary": "canary", "override_promote": "promoted"}
TABLE: dict[str, dict[str, str]] = {
    "proposed": {"pass": "gated", "override_reject": "rejected", **EARLY},
    "gated": {"pass": "shadow", "override_reject": "rejected", **EARLY},
    "shadow": {"pass": "judged", "override_reject": "rejected", **EARLY},
    "judged": {"pass": "canary", "override_reject": "rejected", **EARLY},
    "canary": {
        "pass": "promoted",
        "expire": "inconclusive",
        "rest": "judged",
        "trip": "rolled_back",
        "override_promote": "promoted",
        "override_reject": "rejected",
    },
    "promoted": {"pass": "confirmed", "trip": "rolled_back"},
    "confirmed": {"trip": "rolled_back"},
    "rejected": {},
    "inconclusive": {},
    "rolled_back": {},
}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)))
def test_every_state_and_event(state: State, event: Event) -> None:
    expected = TABLE[state].get(event)
    if expected is not None:
        assert advance(state, event) == expected
        return
    with pytest.raises(ConflictError, match=f"'{state}' can't take '{event}'") as refusal:
        advance(state, event)
    for possible in TABLE[state]:
        assert possible in str(refusal.value)


def test_the_table_knows_every_state() -> None:
    assert set(TABLE) == set(STATES)
    assert {state for state, _ in TRANSITIONS} | ENDED == set(STATES)
    assert all(set(TABLE[state]) <= {"trip"} for state in ENDED), "what has ended can only be taken back"
    assert set(STATES) > SERVING


@given(st.lists(st.sampled_from(EVENTS), max_size=20))
def test_no_way_but_one_leads_back_and_only_judged_or_overridden_ones_serve(events: list[Event]) -> None:
    state: State = "proposed"
    seen = [state]
    for event in events:
        try:
            after = advance(state, event)
        except ConflictError:
            continue
        if event == "rest":  # out of turn: the queue and the canary may be seen again
            assert (state, after) == ("canary", "judged")
            seen = [one for one in seen if one not in (state, after)]
        assert after not in seen
        if after in SERVING:
            assert state == "judged" or event == "override_canary"
        if after == "rolled_back":
            assert state in ("canary", "promoted", "confirmed")
        seen.append(after)
        state = after


@pytest.mark.parametrize("state", [s for s in STATES if s not in ENDED])
def test_whatever_lives_can_end(state: State) -> None:
    reached, frontier = {state}, [state]
    while frontier:
        here = frontier.pop()
        for there in {TRANSITIONS[s, e] for s, e in TRANSITIONS if s == here} - reached:
            reached.add(there)
            frontier.append(there)
    assert reached & ENDED
