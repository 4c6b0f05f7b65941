"""A hard budget is never overshot, whatever the order of reservations and settlements."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from config.evolving import Search
from evolver.examples import Example
from evolver.search import Breeding, Budget, OverrunError, Reservation, Score, search
from policies.genome import Genome
from tests.evolver.search.worlds import BASE, EXAMPLES, MATERIAL


class Spending(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.budget = Budget(calls=50, usd=1.0)
        self.held: list[Reservation] = []

    @rule(calls=st.integers(0, 30), usd=st.floats(0, 1.2))
    def reserve(self, calls: int, usd: float) -> None:
        held = self.budget.reserve(calls, usd)
        if held is not None:
            self.held.append(held)

    @precondition(lambda self: self.held)
    @rule(used=st.floats(0, 1), place=st.integers(0, 100))
    def settle(self, used: float, place: int) -> None:
        held = self.held.pop(place % len(self.held))
        self.budget.settle(held, calls=int(held.calls * used), usd=held.usd * used)

    @invariant()
    def within_limits(self) -> None:
        assert self.budget.calls + sum(one.calls for one in self.held) <= 50
        assert self.budget.usd + sum(one.usd for one in self.held) <= 1.0 + 1e-6
        assert self.budget.affordable(0.01) >= 0

    @invariant()
    def what_is_affordable_can_be_reserved(self) -> None:
        calls = self.budget.affordable(0.01)
        held = self.budget.reserve(calls, calls * 0.01)
        assert held is not None
        self.budget.settle(held, calls=0, usd=0.0)


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_a_call_dearer_than_its_ceiling_closes_the_budget() -> None:
    budget = Budget(calls=10, usd=1.0)
    held = budget.reserve(1, 0.1)
    assert held is not None
    with pytest.raises(OverrunError, match="reserved"):
        budget.settle(held, calls=1, usd=0.2)
    assert budget.reserve(1, 0.0) is None
    assert budget.usd == pytest.approx(0.2)


@settings(max_examples=25, deadline=None)
@given(calls=st.integers(0, 150), usd=st.floats(0, 0.2), seed=st.integers(0, 99), fail=st.floats(0, 0.5))
def test_a_search_never_overshoots(calls: int, usd: float, seed: int, fail: float) -> None:
    rng = np.random.default_rng(seed)
    spent = [0, 0.0]

    async def evaluate(genome: Genome, examples: list[Example] | tuple[Example, ...]) -> list[Score]:
        await asyncio.sleep(0)
        spent[0] += len(examples)
        if rng.random() < fail:
            raise TimeoutError("the provider is slow today")
        costs = rng.uniform(0, 0.002, len(examples))
        spent[1] += float(costs.sum())
        return [Score(float(rng.random()), 100.0, float(cost)) for cost in costs]

    budget = Budget(calls=calls, usd=usd)
    result = asyncio.run(
        search(
            [BASE],
            evaluate,  # type: ignore[arg-type]
            examples=EXAMPLES,
            settings=Search(num_generations=4, population=4),
            rng=rng,
            breeding=Breeding(MATERIAL),
            budget=budget,
            ceiling=lambda genome, example: 0.002,
        )
    )
    assert spent[0] <= calls
    assert spent[1] <= usd + 1e-6
    assert result.calls == budget.calls >= spent[0]
    assert result.usd == pytest.approx(budget.usd)
    assert budget.affordable(0.0) == calls - budget.calls  # nothing stays reserved
