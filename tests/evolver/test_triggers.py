"""The decision to start a cycle, as a table."""

from dataclasses import replace
from typing import Any

import pytest

from config.evolving import Evolver
from evolver.triggers import (
    DAY_S,
    Request,
    TriggerState,
    began,
    deployed,
    due,
    ended,
    from_json,
    next_fire,
    request_of,
    should_trigger,
    to_json,
)
from policies.errors import OperatorError

NOW = 1_700_000_000.0
QUIET = TriggerState(since=NOW - 1000, last_cycle_at=NOW - 1000, last_deployment_at=NOW - 1000, cycles=1)


def evolver(**changes: Any) -> Evolver:
    return Evolver.model_validate({"schedule": None, **changes})


@pytest.mark.parametrize(
    ("changes", "settings", "kind"),
    [
        ({}, {}, None),
        ({"request": Request(NOW)}, {}, "manual"),
        ({"request": Request(NOW, simulate_learnings=99)}, {}, None),
        ({"request": Request(NOW, simulate_learnings=100)}, {}, "learnings"),
        ({"learnings": 60, "request": Request(NOW, simulate_learnings=40)}, {}, "learnings"),
        ({"learnings": 100, "waiting": 5}, {}, "learnings"),
        ({"learnings": 100, "waiting": 6}, {}, None),
        ({"request": Request(NOW), "waiting": 6}, {}, "manual"),
        ({"learnings": 99}, {}, None),
        ({"learnings": 100}, {}, "learnings"),
        ({"learnings": 150, "learnings_at_cycle": 60}, {}, None),
        ({"learnings": 160, "learnings_at_cycle": 60}, {}, "learnings"),
        ({"performance": 0.89, "outcomes": 500, "cycles": 0}, {}, "performance"),
        ({"performance": 0.89, "outcomes": 19, "cycles": 0}, {}, None),
        ({"performance": 0.90, "outcomes": 500, "cycles": 0}, {}, None),
        ({"since": 0.0, "last_cycle_at": NOW - 259_200}, {}, "evolve"),
        ({"since": 0.0, "last_cycle_at": NOW - 259_200, "running": "days"}, {}, None),
        ({"request": Request(NOW), "running": "days"}, {}, None),
        ({}, {"schedule": "*/5 * * * *"}, "schedule"),
        ({}, {"schedule": "0 2 29 2 *"}, None),
        (
            {"last_deployment_at": 0.0, "last_cycle_at": NOW - 63 * DAY_S, "since": 0.0},
            {"evolve_every_s": 1e9},
            "days",
        ),
        (
            {"last_deployment_at": NOW - 61 * DAY_S, "last_cycle_at": 0.0, "since": 0.0},
            {"evolve_every_s": 1e10},
            None,
        ),
    ],
)
def test_rules(changes: dict[str, Any], settings: dict[str, Any], kind: str | None) -> None:
    trigger = should_trigger(replace(QUIET, **changes), evolver(**settings), NOW)
    assert (trigger.kind if trigger else None) == kind
    assert trigger is None or trigger.reason


def test_after_a_cycle_in_vain_bad_performance_waits_for_rest_and_for_something_new() -> None:
    bad = TriggerState(since=0.0, performance=0.5, outcomes=100, learnings=10)
    trigger = should_trigger(bad, evolver(), NOW)
    assert trigger is not None
    after = ended(began(bad, trigger, seed=1, now=NOW), changed=False, now=NOW)
    assert should_trigger(after, evolver(), NOW + DAY_S - 1) is None
    assert should_trigger(after, evolver(), NOW + DAY_S) is None
    learnt = replace(after, learnings=11)
    assert should_trigger(learnt, evolver(), NOW + DAY_S - 1) is None
    again = should_trigger(learnt, evolver(), NOW + DAY_S)
    assert again is not None
    assert again.kind == "performance"


def test_the_rest_shrinks_with_a_fast_clock() -> None:
    bad = TriggerState(since=NOW, performance=0.5, outcomes=100, cycles=1, last_cycle_at=NOW)
    fast = evolver(evolve_every_s=30.0)
    assert should_trigger(bad, fast, NOW + 9.9) is None
    assert should_trigger(bad, fast, NOW + 10) is not None


def test_a_deployment_starts_the_counters_again() -> None:
    state = deployed(replace(QUIET, learnings=500, learnings_at_cycle=20), now=NOW)
    assert (state.learnings, state.learnings_at_cycle, state.last_deployment_at) == (0, 0, NOW)


def test_the_state_survives_storage_and_unknown_keys() -> None:
    state = replace(QUIET, performance=0.7, running="learnings")
    assert from_json({**to_json(state), "of_a_later_version": 1}, now=NOW + 5) == state
    assert from_json({}, now=NOW).since == NOW


def test_rules_are_looked_at_every_check_period_or_on_request() -> None:
    state = replace(QUIET, last_check_at=NOW - 3_599, last_cycle_at=NOW - 3_599)
    assert not due(state, evolver(), NOW)
    assert due(state, evolver(), NOW + 1)
    assert due(replace(state, request=Request(NOW)), evolver(), NOW)


def test_requests_as_the_command_line_stores_them() -> None:
    assert request_of({}) is None
    assert request_of({"at": NOW, "who": "operator:eve", "simulate_learnings": None}) == Request(NOW, "operator:eve")
    assert request_of({"at": NOW, "simulate_learnings": 7, "policy": "p"}) == Request(NOW, "operator", 7, "p")


def test_a_cron_line_that_is_none_says_so() -> None:
    assert next_fire("0 0 * * *", 0.0) == DAY_S
    with pytest.raises(OperatorError, match="is no cron line"):
        next_fire("every day", 0.0)
