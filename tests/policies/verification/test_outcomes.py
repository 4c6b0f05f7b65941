"""Classes and rewards come out again for whatever the gateway can have recorded, and for nothing else."""

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policies.fitness import reward_value
from policies.outcome import Answer, FailureClass, Observed, classify
from policies.verification.report import DiffersError, Report
from policies.verification.stream import Arms, Stream
from policies.verification.terms import Timeline
from tests.policies.verification.rows import NOW, terms_note

TIMELINE = Timeline([terms_note(0.0)])
(TERMS,) = TIMELINE.at(NOW)

observations = st.builds(
    Observed,
    status=st.sampled_from([200, 206, 302, 400, 401, 403, 404, 413, 422, 429, 500, 503]),
    transport_error=st.sampled_from([None, None, None, "timeout"]),
    answer=st.sampled_from([None, Answer(text="fine"), Answer(text="", error="overloaded"), Answer(complete=False)]),
    latency_ms=st.floats(0.0, 10_000.0),
    cost_usd=st.floats(0.0, 0.05),
    validators=st.dictionaries(st.sampled_from(["json_schema", "tool_args", "exact"]), st.floats(0.0, 1.0)),
    client_gone=st.booleans(),
    fell_open=st.booleans(),
)


def frame(observed: Observed) -> dict[str, Any]:
    """The outcome as the gateway records it."""
    budgets = {"p95_ms": TERMS.p95_ms, "usd_per_request": TERMS.usd_per_request}
    failure, _ = classify(observed, **budgets, validator_gate=TERMS.gates.validator_score)
    essence: dict[str, Any] = {
        "failure": failure.value if failure is not None else None,
        "validators": observed.validators,
        "output_tokens": 12,
        "repairs": 1,
        "cost_usd": observed.cost_usd,
        "last_byte_ms": observed.latency_ms,
    }
    made_here = 502 if observed.transport_error is not None else observed.status
    status = 0 if observed.client_gone else made_here
    return {**essence, "reward": worth_of(essence), "status": status}


def worth_of(outcome: dict[str, Any]) -> float | None:
    costs = {name: outcome[name] for name in ("failure", "validators", "output_tokens", "repairs", "cost_usd")}
    latency_ms = outcome["last_byte_ms"]
    return reward_value(**costs, score=None, latency_ms=latency_ms, weights=TERMS.weights, gates=TERMS.gates)


def check(outcome: dict[str, Any], timeline: Timeline = TIMELINE) -> Report:
    report = Report()
    stream = Stream(timeline, None, known=bool, held=[], layers=1, pins=Arms(), report=report)
    stream.outcome(outcome, "outcome x", NOW)
    return report


@given(observations)
def test_what_the_gateway_recorded_comes_out_again(observed: Observed) -> None:
    assert check(frame(observed)).right["outcomes"] == 1


KNOWN: dict[str | None, Observed] = {
    None: Observed(status=200, latency_ms=100.0),
    "bad_request": Observed(status=422),
    "auth": Observed(status=401),
    "rate_limited": Observed(status=429),
    "server_error": Observed(status=503),
    "invalid_output": Observed(status=200, validators={"json_schema": 0.1}),
    "invalid_tool_call": Observed(status=200, validators={"tool_args": 0.1}),
    "too_slow": Observed(status=200, latency_ms=5000.0),
    "too_dear": Observed(status=200, cost_usd=0.03),
}


@pytest.mark.parametrize("failure", KNOWN)
def test_another_class_does_not(failure: str | None) -> None:
    """Though its reward is made to fit. Of an error inside a 200 only the answer told."""
    recorded = frame(KNOWN[failure])
    assert recorded["failure"] == failure
    for other in KNOWN.keys() - {failure, "server_error"}:
        with pytest.raises(DiffersError, match="outcome x: failure: recorded"):
            check({**recorded, "failure": other, "reward": worth_of({**recorded, "failure": other})})


@pytest.mark.parametrize("failure", [each.value for each in FailureClass])
def test_a_good_answer_with_a_class_is_not_worth_what_it_was(failure: str) -> None:
    with pytest.raises(DiffersError):
        check({**frame(KNOWN[None]), "failure": failure})


@given(observations, st.floats(0.0, 1.0))
def test_another_reward_does_not(observed: Observed, worth: float) -> None:
    recorded = frame(observed)
    assume(worth != recorded["reward"])
    with pytest.raises(DiffersError, match="outcome x: reward: recorded"):
        check({**recorded, "reward": worth})


def test_either_terms_explain_an_answer_around_their_change() -> None:
    changed = Timeline([terms_note(0.0), terms_note(NOW - 1.0, budgets={"p95_ms": 10.0})])
    slow = frame(Observed(status=200, latency_ms=500.0))
    assert check(slow, changed).right["outcomes"] == 1
    long_ago = Timeline([terms_note(0.0), terms_note(NOW - 1000.0, budgets={"p95_ms": 10.0})])
    with pytest.raises(DiffersError, match="failure: recorded None, computed 'too_slow'"):
        check(slow, long_ago)
