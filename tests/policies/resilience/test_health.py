"""The circuit: what opens it, how long, and what closes it."""

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from policies.resilience import Counts, Health, HealthRules, Permit, State, Unwell
from policies.resilience.health import TRANSITIONS

RULES = HealthRules(consecutive=3, window_s=10, min_requests=10, rate=0.5, backoff_s=1, max_backoff_s=8)


def health(rules: HealthRules = RULES, *, jitter: float = 0.0, own_key: bool = True) -> Health:
    return Health(rules, lambda: jitter, own_key=own_key)


def one(upstream: Health, counts: Counts, now: float, retry_after_s: float | None = None) -> None:
    permit = upstream.admit(now)
    assert isinstance(permit, Permit)
    upstream.ended(permit, counts, now, retry_after_s)


def state(upstream: Health) -> State:
    """As it is now: the checker believes what it saw before."""
    return upstream.state


def opened(upstream: Health, now: float = 0.0) -> Health:
    for _ in range(RULES.consecutive):
        one(upstream, Counts.BAD, now)
    assert state(upstream) is State.OPEN
    return upstream


def test_failures_in_a_row_open_it_and_a_good_answer_between_them_does_not() -> None:
    upstream = health()
    for counts in (Counts.BAD, Counts.BAD, Counts.GOOD, Counts.BAD, Counts.BAD):
        one(upstream, counts, 0.0)
    assert state(upstream) is State.CLOSED
    one(upstream, Counts.BAD, 0.0)
    assert upstream.admit(0.5) == Unwell(paused=False, retry_after_s=0.5)


def test_half_of_the_answers_bad_open_it_within_one_window_only() -> None:
    together, apart = health(), health()
    for turn in range(10):
        counts = Counts.BAD if turn % 2 else Counts.GOOD
        if together.state is State.CLOSED:
            one(together, counts, turn * 0.5)
        one(apart, counts, turn * 4.0)
    assert (together.state, apart.state) == (State.OPEN, State.CLOSED)


@pytest.mark.parametrize("counts", [Counts.NOTHING, Counts.PAUSE, Counts.GOOD])
def test_what_is_not_the_upstreams_failure_never_opens_it(counts: Counts) -> None:
    upstream = health()
    for turn in range(100):
        one(upstream, counts, turn * 0.01)
    assert state(upstream) is State.CLOSED


def test_the_back_off_doubles_up_to_its_cap_and_starts_again_after_a_window_of_health() -> None:
    upstream = opened(health())
    now, waits = 0.0, []
    for _ in range(6):
        refused = upstream.admit(now)
        assert isinstance(refused, Unwell)
        waits.append(refused.retry_after_s)
        now += refused.retry_after_s
        one(upstream, Counts.BAD, now)
    assert waits == [1, 2, 4, 8, 8, 8]
    now += 8
    one(upstream, Counts.GOOD, now)
    opened(upstream, now + 1.0)
    assert upstream.admit(now + 1.0) == Unwell(paused=False, retry_after_s=8)  # it flaps
    now += 9.0
    one(upstream, Counts.GOOD, now)
    opened(upstream, now + 10.5)
    assert upstream.admit(now + 10.5) == Unwell(paused=False, retry_after_s=1)


def test_jitter_takes_up_to_a_half_away() -> None:
    assert opened(health(jitter=0.75)).admit(0.0) == Unwell(paused=False, retry_after_s=0.625)


def test_a_longer_wait_that_came_with_the_failure_is_kept_up_to_the_cap() -> None:
    for asked, kept in ((0.5, 1.0), (5.0, 5.0), (500.0, 8.0)):
        upstream = health(HealthRules(**{**RULES.model_dump(), "consecutive": 1}))
        one(upstream, Counts.BAD, 0.0, asked)
        assert upstream.admit(0.0) == Unwell(paused=False, retry_after_s=kept)


def test_probes_go_one_at_a_time_and_a_good_head_closes() -> None:
    upstream = opened(health())
    probe = upstream.admit(1.0)
    assert isinstance(probe, Permit)
    assert probe.probe
    assert isinstance(upstream.admit(1.0), Unwell)
    upstream.began(probe, 1.5)
    assert state(upstream) is State.CLOSED
    upstream.ended(probe, Counts.BAD, 60.0)  # cut long after it had begun: of another time
    for _ in range(RULES.consecutive - 1):
        one(upstream, Counts.BAD, 60.0)
    assert state(upstream) is State.CLOSED


def test_a_probe_whose_client_hung_up_makes_room_for_the_next() -> None:
    upstream = opened(health())
    one(upstream, Counts.NOTHING, 1.0)
    assert state(upstream) is State.HALF_OPEN
    one(upstream, Counts.GOOD, 1.0)
    assert state(upstream) is State.CLOSED


def test_several_proofs_may_be_asked_for() -> None:
    upstream = opened(health(HealthRules(**{**RULES.model_dump(), "probes": 2, "proofs": 3})))
    first, second = upstream.admit(1.0), upstream.admit(1.0)
    assert isinstance(first, Permit)
    assert isinstance(second, Permit)
    assert isinstance(upstream.admit(1.0), Unwell)
    upstream.began(first, 1.0)
    upstream.ended(first, Counts.GOOD, 1.0)  # counts once
    upstream.ended(second, Counts.GOOD, 1.0)
    assert state(upstream) is State.HALF_OPEN
    one(upstream, Counts.GOOD, 1.0)
    assert state(upstream) is State.CLOSED


def test_late_results_of_another_state_change_nothing() -> None:
    upstream = health()
    early = [upstream.admit(0.0) for _ in range(10)]
    opened(upstream)
    for permit in early:
        assert isinstance(permit, Permit)
        upstream.ended(permit, Counts.GOOD, 0.5)
    assert state(upstream) is State.OPEN


def test_a_429_pauses_where_the_key_is_ours_and_is_one_clients_affair_where_not() -> None:
    ours, theirs, silent = health(), health(own_key=False), health()
    one(ours, Counts.PAUSE, 0.0, 2.0)
    one(theirs, Counts.PAUSE, 0.0, 2.0)
    one(silent, Counts.PAUSE, 0.0, None)
    assert ours.admit(0.5) == Unwell(paused=True, retry_after_s=1.5)
    assert not ours.available(1.9)
    assert ours.available(2.0)
    assert theirs.available(0.0)
    assert silent.available(0.0)


def test_a_pause_is_bounded() -> None:
    upstream = health()
    one(upstream, Counts.PAUSE, 0.0, 1e9)
    assert upstream.available(RULES.max_pause_s)


def test_the_table_of_transitions_has_no_dead_end() -> None:
    ahead = {state: {after for (before, _), after in TRANSITIONS.items() if before is state} for state in State}
    assert all(ahead.values())
    for start in State:
        reached = {start}
        for _ in State:
            reached |= {after for state in reached for after in ahead[state]}
        assert reached == set(State)


@given(st.lists(st.sampled_from([Counts.GOOD, Counts.BAD, Counts.NOTHING, Counts.PAUSE]), max_size=200))
def test_it_opens_exactly_where_a_plain_count_says(results: list[Counts]) -> None:
    """The oracle: within one half of the window, all results are known."""
    upstream = health()
    seen: list[Counts] = []
    for counts in results:
        if state(upstream) is not State.CLOSED:
            break
        one(upstream, counts, 0.0)
        seen += [] if counts is Counts.NOTHING else [counts]
        bad = seen.count(Counts.BAD)
        in_a_row = seen[-3:] == [Counts.BAD] * 3
        too_often = len(seen) >= 10 and bad >= 0.5 * len(seen) and counts is Counts.BAD
        assert (state(upstream) is State.OPEN) is (in_a_row or too_often)


class Life(RuleBasedStateMachine):
    """Any order of admissions, results and time."""

    def __init__(self) -> None:
        super().__init__()
        self.draws = iter(self._numbers())
        self.upstream = Health(HealthRules(consecutive=2, probes=2, proofs=2), lambda: next(self.draws), own_key=True)
        self.now = 0.0
        self.out: list[Permit] = []

    def _numbers(self) -> Iterator[float]:
        while True:
            yield from (0.0, 0.25, 0.875)  # exact in binary, as the times below

    @rule()
    def admit(self) -> None:
        said = self.upstream.available(self.now)
        answer = self.upstream.admit(self.now)
        assert isinstance(answer, Permit) is said
        if isinstance(answer, Permit):
            self.out.append(answer)
        else:
            assert 0.0 < answer.retry_after_s <= 60.0

    @precondition(lambda self: self.out)
    @rule(at=st.integers(0, 10**6), counts=st.sampled_from(Counts), wait=st.sampled_from([None, 0.125, 1e6]))
    def end(self, at: int, counts: Counts, wait: float | None) -> None:
        self.upstream.ended(self.out.pop(at % len(self.out)), counts, self.now, wait)

    @precondition(lambda self: self.out)
    @rule(at=st.integers(0, 10**6))
    def begin(self, at: int) -> None:
        self.upstream.began(self.out[at % len(self.out)], self.now)

    @rule(passed=st.sampled_from([0.015625, 0.625, 5.0, 61.0]))
    def wait(self, passed: float) -> None:
        self.now += passed

    @invariant()
    def few_probes_and_never_shut_for_good(self) -> None:
        assert len({permit for permit in self.out if permit.probe and permit in self.upstream._probes}) <= 2
        assert self.upstream.state is State.HALF_OPEN or self.upstream.available(self.now + 60.0)


TestLife = Life.TestCase


def test_workers_do_not_return_in_step() -> None:
    untils = sorted(opened(health(jitter=draw / 10)).admit(0.0).retry_after_s for draw in range(10))  # type: ignore[union-attr]
    assert all(later > earlier for earlier, later in pairwise(untils))
