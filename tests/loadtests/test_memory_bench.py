"""The memory benchmark measures what it says: both rankings agree, and a process tells its own weight."""

import pytest
from click.testing import CliRunner

from loadtests import memory_bench
from loadtests.memory_bench import compare, quantile, weighed


def test_both_rank_alike_and_are_timed() -> None:
    ours, theirs = compare(1_500, queries=40, old_queries=20)
    assert (len(ours), len(theirs)) == (40, 20)
    assert min(*ours, *theirs) > 0.0


def test_a_process_weighs_itself() -> None:
    before, after, peak, took = weighed(2_000)
    assert 10.0 < before < after <= peak
    assert took > 0.0


def test_the_quantile_is_the_nearest_rank() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(("goal_ms", "code"), [(1_000.0, 0), (0.0, 1)])
def test_a_missed_goal_is_an_exit_code(goal_ms: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_bench, "SIZES", (500,))
    monkeypatch.setattr(memory_bench, "GOAL_MS", {500: goal_ms})
    monkeypatch.setattr(memory_bench, "GOAL_MB", 1e6)  # a process's peak begins with that of the tests it came of
    found = CliRunner().invoke(memory_bench.main, ["--queries", "20", "--old-queries", "5"])
    assert found.exit_code == code, found.output
    assert "| 500 |" in found.output
