"""The router's benchmark decides what it says it does, and a missed goal is an exit code."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from loadtests import router_bench


def test_every_decision_is_timed_by_both_clocks() -> None:
    spent, passed = router_bench.decide(3, 20)
    assert (len(spent), len(passed)) == (20, 20)
    assert min(*spent, *passed) > 0.0


@pytest.mark.parametrize(("goal_us", "code"), [(1e9, 0), (0.0, 1)])
def test_a_missed_goal_is_an_exit_code(goal_us: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(router_bench, "MODELS", (2,))
    monkeypatch.setattr(router_bench, "GOAL_US", {2: goal_us})
    found = CliRunner().invoke(router_bench.main, ["--decisions", "10"])
    assert found.exit_code == code, found.output
    assert "| 2 |" in found.output


@pytest.mark.parametrize(("own", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_a_gateway_multiplies_in_one_thread_unless_told_otherwise(own: dict[str, str], threads: str) -> None:
    said = "import gateway, numpy, threadpoolctl as t; print(*(i['num_threads'] for i in t.threadpool_info()))"
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    found = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True, env=clean | own)
    assert set(found.stdout.split()) == {threads}
