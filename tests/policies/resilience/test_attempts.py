"""After a failed attempt: again, elsewhere, or the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resilience import (
    Attempts,
    BudgetRules,
    Fallback,
    GiveUp,
    ResilienceRules,
    Retry,
    RetryBudget,
    Sent,
    Trouble,
    row_of,
)
from policies.resilience.troubles import KINDS, STATUSES

NOTHING, HEAD, BYTES = Sent
RULES = ResilienceRules(retries=2, max_wait_s=10)
CUT = Trouble("truncated")


def rng() -> float:
    return 0.0


def attempts(
    rules: ResilienceRules = RULES, *, legs: int = 1, deadline: float = 600.0, budget: RetryBudget | None = None
) -> Attempts:
    return Attempts(rules, budget or RetryBudget(BudgetRules(), 0.0), legs=legs, deadline=deadline)


def status(code: int, retry_after_s: float | None = None, *, should_retry: bool | None = None) -> Trouble:
    return Trouble("status", code, retry_after_s, should_retry)


def test_what_fails_fast_is_tried_again_with_a_growing_wait_then_elsewhere() -> None:
    life = attempts(legs=3)
    told = [life.decide(CUT, NOTHING, 0.0, rng) for _ in range(5)]
    assert told == [Retry(0, 0.25), Retry(0, 0.5), Fallback(1), Fallback(2), GiveUp("exhausted")]
    assert life.tried_again


def test_what_fails_slowly_goes_elsewhere_first() -> None:
    slow = Trouble("timeout_first_byte")
    assert attempts(legs=2).decide(slow, NOTHING, 0.0, rng) == Fallback(1)
    assert attempts(legs=1).decide(slow, NOTHING, 0.0, rng) == Retry(0, 0.25)


@pytest.mark.parametrize("sent", [HEAD, BYTES])
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_repeated_once_the_client_has_some_of_it(kind: str, sent: Sent) -> None:
    life = attempts(legs=3)
    assert life.decide(Trouble(kind), sent, 0.0, rng) == GiveUp("sent")
    assert not life.tried_again


def test_a_rescue_comes_from_elsewhere_or_else_from_the_same() -> None:
    rules = ResilienceRules(rescue=True)
    assert attempts(rules, legs=2).decide(CUT, BYTES, 0.0, rng) == Fallback(1, rescue=True)
    assert attempts(rules, legs=1).decide(CUT, BYTES, 0.0, rng) == Retry(0, 0.25, rescue=True)


@pytest.mark.parametrize("code", [400, 401, 403, 404, 413, 415, 422])
def test_a_clients_fault_is_never_repeated(code: int) -> None:
    assert attempts(legs=3).decide(status(code), NOTHING, 0.0, rng) == GiveUp("final")


@pytest.mark.parametrize("code", sorted(code for code, row in STATUSES.items() if row.again != "never"))
def test_the_statuses_that_say_try_again(code: int) -> None:
    assert attempts().decide(status(code), NOTHING, 0.0, rng) == Retry(0, 0.25)


def test_the_upstreams_own_word_counts() -> None:
    assert attempts().decide(status(500, should_retry=False), NOTHING, 0.0, rng) == GiveUp("final")
    assert attempts(legs=2).decide(status(500, should_retry=False), NOTHING, 0.0, rng) == Fallback(1)
    assert attempts().decide(status(400, should_retry=True), NOTHING, 0.0, rng) == Retry(0, 0.25)


def test_retry_after_is_waited_for_up_to_a_bound_and_not_at_all_with_a_fallback() -> None:
    assert attempts().decide(status(429, 3.0), NOTHING, 0.0, rng) == Retry(0, 3.0)
    assert attempts().decide(status(429, 0.01), NOTHING, 0.0, rng) == Retry(0, 0.25)
    assert attempts().decide(status(429, 10.5), NOTHING, 0.0, rng) == GiveUp("wait")
    assert attempts(legs=2).decide(status(429, 3.0), NOTHING, 0.0, rng) == Fallback(1)


def test_the_total_timeout_bounds_everything() -> None:
    assert attempts(deadline=3.0).decide(status(503, 2.0), NOTHING, 1.0, rng) == GiveUp("time")
    assert attempts(deadline=3.0, legs=2).decide(CUT, NOTHING, 3.0, rng) == GiveUp("time")
    assert attempts(deadline=3.0, legs=2).decide(CUT, NOTHING, 2.9, rng) == Fallback(1)
    assert attempts(deadline=3.0).left_s(1.0) == 2.0
    assert attempts(deadline=3.0).left_s(4.0) == 0.0


def test_a_later_attempt_has_what_is_left() -> None:
    rules = ResilienceRules.model_validate({"timeouts": {"idle_s": 5, "total_s": 60}})
    left = rules.timeouts.within(attempts(deadline=60.0).left_s(45.0))
    assert (left.idle_s, left.total_s, left.connect_s) == (5.0, 15.0, None)


def test_an_empty_budget_leaves_the_fallback() -> None:
    budget = RetryBudget(BudgetRules(ratio=0, per_s=0, burst=1), 0.0)
    assert attempts(budget=budget).decide(CUT, NOTHING, 0.0, rng) == Retry(0, 0.25)
    assert attempts(budget=budget).decide(CUT, NOTHING, 0.0, rng) == GiveUp("budget")
    assert attempts(budget=budget, legs=2).decide(CUT, NOTHING, 0.0, rng) == Fallback(1)


def test_what_can_not_be_retried_is_not_paid_for() -> None:
    budget = RetryBudget(BudgetRules(), 0.0)
    for trouble in (status(400), status(429, 99.0), Trouble("tls"), Trouble("gone")):
        attempts(budget=budget).decide(trouble, NOTHING, 0.0, rng)
    attempts(budget=budget, deadline=0.1).decide(CUT, NOTHING, 0.0, rng)
    assert budget.balance(0.0) == BudgetRules().burst


TROUBLES = st.one_of(
    st.sampled_from(sorted(KINDS)).map(Trouble),
    st.builds(
        Trouble,
        st.just("status"),
        st.integers(400, 599),
        st.none() | st.floats(0.001, 100.0),
        st.none() | st.booleans(),
    ),
)


@given(
    st.lists(st.tuples(TROUBLES, st.floats(0.0, 3.0)), max_size=40),
    st.integers(0, 5),
    st.integers(1, 4),
    st.floats(1.0, 20.0),
    st.floats(0.0, 1.0, exclude_max=True),
)
def test_every_life_is_short_and_goes_forward(
    story: list[tuple[Trouble, float]], retries: int, legs: int, deadline: float, drawn: float
) -> None:
    rules = ResilienceRules(retries=retries, max_wait_s=5)
    life = attempts(rules, legs=legs, deadline=deadline)
    now, leg, made = 0.0, 0, 0
    for trouble, took in story:
        now += took
        told = life.decide(trouble, NOTHING, now, lambda: drawn)
        if isinstance(told, GiveUp):
            break
        made += 1
        assert now < deadline
        assert not told.rescue
        assert row_of(trouble).elsewhere or isinstance(told, Retry)
        if isinstance(told, Fallback):
            assert told.leg == leg + 1
        else:
            assert told.leg == leg
            assert (trouble.retry_after_s or 0.0) <= told.after_s <= max(5.0, 8.0)
            now += told.after_s
            assert now < deadline
        leg = told.leg
    assert made <= retries + legs - 1
    assert leg < legs
    assert life.tried_again is (made > 0)
