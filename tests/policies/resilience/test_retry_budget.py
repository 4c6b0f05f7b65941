"""Whatever happens, retries stay within burst + ratio n + per_s t."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.resilience import BudgetRules, RetryBudget

STEPS = st.lists(st.one_of(st.just("request"), st.just("retry"), st.floats(0.0, 5.0)), max_size=300)


@given(STEPS, st.floats(0.0, 1.0), st.floats(0.0, 20.0), st.floats(1.0, 50.0))
def test_the_bound_holds_over_every_stretch(steps: list[str | float], ratio: float, per_s: float, burst: float) -> None:
    rules = BudgetRules(ratio=ratio, per_s=per_s, burst=burst)
    budget = RetryBudget(rules, 0.0)
    now, requests, retries = 0.0, 0, 0
    marks = [(0.0, 0, 0)]
    for step in steps:
        if isinstance(step, float):
            now += step
        elif step == "request":
            requests += 1
            budget.deposit()
        else:
            retries += budget.withdraw(now)
        marks.append((now, requests, retries))
    for since, asked, again in marks[:: max(1, len(marks) // 10)]:
        assert retries - again <= burst + ratio * (requests - asked) + per_s * (now - since) + 1e-6


def test_it_begins_full_and_refuses_when_empty() -> None:
    budget = RetryBudget(BudgetRules(ratio=0.5, per_s=0, burst=2), 0.0)
    assert [budget.withdraw(0.0) for _ in range(3)] == [True, True, False]
    budget.deposit()
    assert not budget.withdraw(0.0)
    budget.deposit()
    assert budget.withdraw(0.0)


def test_time_alone_refills_it() -> None:
    budget = RetryBudget(BudgetRules(ratio=0, per_s=2, burst=3), 0.0)
    assert [budget.withdraw(0.0) for _ in range(4)] == [True, True, True, False]
    assert budget.balance(1.0) == pytest.approx(2.0)
    assert budget.balance(1000.0) == 3.0
    assert budget.withdraw(0.5)
    assert not budget.withdraw(0.6)


def test_a_clock_that_stands_or_falls_gives_nothing() -> None:
    budget = RetryBudget(BudgetRules(ratio=0, per_s=1, burst=1), 100.0)
    assert budget.withdraw(100.0)
    assert not budget.withdraw(50.0)
    assert not budget.withdraw(100.5)
    assert budget.withdraw(101.0)
