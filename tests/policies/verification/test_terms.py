"""Terms as the gateway notes them, and those that may have been in force at a time."""

import pytest

from policies.fitness import resolve
from policies.verification.terms import CHANGE_S, Terms, Timeline
from tests.policies.verification.rows import NOW, terms_note


def test_terms_are_what_the_gateway_decides_by() -> None:
    budgets = {"p95_ms": 2000.0, "usd_per_request": 0.01}
    weights = {"latency": "auto", "tokens": 0.001, "repairs": 0.3, "cost": "auto"}
    found = Terms.of(terms_note(budgets=budgets, reward={"weights": weights}, breaker={"alpha": 0.05}).detail)
    expected = resolve(latency="auto", tokens=0.001, repairs=0.3, cost="auto", p95_ms=2000.0, usd=0.01)
    assert (found.weights, found.alpha, found.p95_ms) == (expected, 0.05, 2000.0)


def test_a_change_leaves_the_workers_a_while() -> None:
    timeline = Timeline([terms_note(NOW), terms_note(NOW + 1000.0, breaker={"alpha": 0.05})])
    alphas = {at: [terms.alpha for terms in timeline.at(NOW + at)] for at in (0.0, 999.0, 1000.0, 1000.0 + CHANGE_S)}
    assert alphas == {0.0: [0.01], 999.0: [0.01], 1000.0: [0.05, 0.01], 1000.0 + CHANGE_S: [0.05]}
    assert [terms.alpha for terms in timeline.between(NOW, NOW + 5000.0)] == [0.05, 0.01]


def test_before_the_first_note_nothing_is_known() -> None:
    assert list(Timeline([terms_note(NOW)]).at(NOW - 1.0)) == []
    assert list(Timeline([]).at(NOW)) == []


def test_a_note_that_lacks_a_parameter_is_an_error() -> None:
    note = terms_note()
    del note.detail["breaker"]["deadline_s"]
    with pytest.raises(KeyError, match="deadline_s"):
        Timeline([note])
