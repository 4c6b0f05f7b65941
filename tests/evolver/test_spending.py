"""The day's budget: charged before a call, on disk, shared by the processes of one home, never exceeded."""

import asyncio
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.evolving import DayBudget
from config.upstreams import Model
from evolver.provider import EXHAUSTED, Provider
from evolver.spending import LONGEST_ANSWER, Spending, ceiling
from gateway.sandbox.app import running_sandbox
from tests.evolver.support import START, make_settings

DAY_S = 86_400.0


def budget(usd: float = 1.0, calls: int = 100) -> DayBudget:
    return DayBudget(usd_per_day=usd, calls_per_day=calls)


@given(st.lists(st.tuples(st.floats(0.0, 0.5), st.floats(0.0, 1.0), st.booleans()), max_size=40))
def test_no_sequence_of_calls_exceeds_it(tmp_path_factory: pytest.TempPathFactory, calls: list) -> None:  # type: ignore[type-arg]
    folder = tmp_path_factory.mktemp("spending")
    account, true_cost = Spending(folder, budget(1.0, 20), lambda: START), 0.0
    for most, share, killed in calls:
        charge = account.charge(most)
        if charge is None:
            continue
        true_cost += most * share
        if killed:
            account = Spending(folder, budget(1.0, 20), lambda: START)
        else:
            account.settle(charge, most * share)
        made, usd = account.today()
        assert made <= 20
        assert true_cost - 1e-6 <= usd <= 1.0 + 1e-6


@pytest.mark.parametrize("none", [budget(usd=0.0), budget(calls=0)])
def test_a_budget_of_zero_makes_no_call(tmp_path: Path, none: DayBudget) -> None:
    assert Spending(tmp_path, none, lambda: START).charge(0.0) is None


def test_the_next_day_begins_anew(tmp_path: Path) -> None:
    now = [START]
    account = Spending(tmp_path, budget(usd=0.1), lambda: now[0])
    late = account.charge(0.1)
    assert late is not None
    assert account.charge(0.1) is None
    now[0] += DAY_S
    assert account.charge(0.1) is not None
    account.settle(late, 0.05)  # belongs to yesterday
    assert account.today() == (1, 0.1)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_line_that_was_cut_short_counts_for_nothing(tmp_path: Path) -> None:
    account = Spending(tmp_path, budget(), lambda: START)
    account.charge(0.25)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b'["abc", 0.')
    again = Spending(tmp_path, budget(), lambda: START)
    assert again.today() == (1, 0.25)
    assert again.charge(0.5) is not None
    assert Spending(tmp_path, budget(), lambda: START).today() == (2, 0.75)


def _spend(folder: Path) -> int:
    account = Spending(folder, budget(usd=1.0, calls=1_000), lambda: START)
    return sum(account.charge(0.01) is not None for _ in range(100))


def test_two_processes_share_it(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        made = pool.map(_spend, [tmp_path, tmp_path])
    assert sum(made) == 100


def test_the_most_that_a_call_can_cost() -> None:
    model = Model.model_validate({"upstream": "u", "model": "m", "usd_per_mtok": {"input": 1.0, "output": 2.0}})
    assert ceiling(model, b'{"max_tokens":100}') == pytest.approx((18 + 200) / 1e6)
    assert ceiling(model, b"{}") == pytest.approx((2 + 2 * LONGEST_ANSWER) / 1e6)
    assert ceiling(model, b'{"n":3,"max_tokens":10}') == pytest.approx((23 + 60) / 1e6)
    assert ceiling(None, b"{}") == 0.0


async def test_beyond_it_nobody_is_called(tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": "What is 2 + 2?"}], "max_tokens": 50}
    async with running_sandbox(3) as url:
        account = Spending(tmp_path, budget(calls=3))
        async with Provider(make_settings(url), spending=account) as provider:
            found = await asyncio.gather(*(provider.complete("medium", body) for _ in range(5)))
            assert provider.calls == 3
        assert sum(one.error == EXHAUSTED for one in found) == 2
        assert all(one.down for one in found if one.error is not None)
        calls, usd = account.today()
        assert calls == 3
        assert usd == pytest.approx(provider.spent_usd)
