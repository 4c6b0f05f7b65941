from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.fitness import Gates, Reward, Weights, quality, resolve, reward, reward_value
from policies.outcome import OUTSIDE, UNION, FailureClass

AUTO = resolve(latency="auto", tokens="auto", repairs=0.2, cost="auto", p95_ms=4000, usd=0.02)


def worth(
    *,
    failure: str | None = None,
    validators: dict[str, float] | None = None,
    score: float | None = None,
    latency_ms: float = 0,
    output_tokens: int = 0,
    repairs: int = 0,
    cost_usd: float = 0,
    weights: Weights = AUTO,
) -> Reward | None:
    return reward(
        failure=failure,
        validators=validators or {},
        score=score,
        latency_ms=latency_ms,
        output_tokens=output_tokens,
        repairs=repairs,
        cost_usd=cost_usd,
        weights=weights,
        gates=Gates(),
    )


def value(**observed: object) -> float:
    found = worth(**observed)  # type: ignore[arg-type]
    assert found is not None
    return found.value


def test_auto_takes_a_tenth_at_the_budget() -> None:
    assert value(latency_ms=4000) == pytest.approx(0.9)
    assert value(cost_usd=0.02) == pytest.approx(0.9)
    assert value(latency_ms=4000, cost_usd=0.02, repairs=1) == pytest.approx(0.6)


def test_tokens_weigh_by_their_budget_or_as_configured() -> None:
    assert AUTO.tokens == 0
    budgeted = resolve(latency=0, tokens="auto", repairs=0, cost=0, p95_ms=1, usd=1, max_tokens=500)
    assert value(output_tokens=500, weights=budgeted) == pytest.approx(0.9)
    fixed = resolve(latency=0.001, tokens=0.002, repairs=0, cost=3, p95_ms=1, usd=1)
    assert fixed == Weights(latency=0.001, tokens=0.002, repairs=0, cost=3)
    assert value(output_tokens=100, latency_ms=100, cost_usd=0.1, weights=fixed) == pytest.approx(0.4)


def test_costs_never_take_more_than_all() -> None:
    assert value(latency_ms=1e9) == 0


@pytest.mark.parametrize("failure", sorted(UNION))
def test_failures_are_worth_nothing(failure: str) -> None:
    assert value(failure=failure, score=1.0, validators={"regex": 1.0}) == 0


@pytest.mark.parametrize("failure", sorted(OUTSIDE))
def test_classes_outside_the_union_say_nothing(failure: str) -> None:
    assert worth(failure=failure) is None
    assert quality(failure=failure, validators={}, score=None, gates=Gates()) is None


def test_every_class_is_inside_or_outside() -> None:
    assert set(FailureClass) == UNION | OUTSIDE
    assert UNION.isdisjoint(OUTSIDE)


@pytest.mark.parametrize(
    ("validators", "score", "expected"),
    [
        ({}, None, 1.0),
        ({"regex": 1.0}, None, 1.0),
        ({}, 0.6, 0.6),
        ({"json_schema": 1.0, "tool_args": 0.9}, None, 0.95),
        ({"json_schema": 1.0, "tool_args": 1.0, "regex": 1.0}, 0.0, 0.5),  # feedback isn't outvoted by many checks
        ({"regex": 0.89}, 1.0, 0.0),  # gate of validators
        ({"exact": 0.86}, None, 0.86),  # gate of accuracy
        ({"numeric": 0.84}, None, 0.0),
    ],
)
def test_quality(validators: dict[str, float], score: float | None, expected: float) -> None:
    assert quality(failure=None, validators=validators, score=score, gates=Gates()) == pytest.approx(expected)
    assert value(validators=validators, score=score) == pytest.approx(expected)


def test_parts_name_the_sources_and_the_costs() -> None:
    found = worth(validators={"regex": 1.0}, score=0.8, latency_ms=2000, repairs=1)
    assert found is not None
    assert found.parts == pytest.approx(
        {"validators": 1.0, "score": 0.8, "quality": 0.9, "latency": -0.05, "repairs": -0.2}
    )
    assert found.value == pytest.approx(0.65)


@given(
    st.none() | st.sampled_from(sorted(UNION)),
    st.dictionaries(st.sampled_from(["regex", "exact", "json_schema"]), st.floats(0, 1)),
    st.none() | st.floats(0, 1),
    st.floats(0, 1e7),
    st.integers(0, 10),
)
def test_rewards_lie_between_0_and_1_and_are_the_sum_of_their_parts(
    failure: str | None, validators: dict[str, float], score: float | None, latency_ms: float, repairs: int
) -> None:
    found = worth(failure=failure, validators=validators, score=score, latency_ms=latency_ms, repairs=repairs)
    assert found is not None
    costs = sum(part for name, part in found.parts.items() if part < 0)
    assert found.value == pytest.approx(max(0.0, found.parts["quality"] + costs))
    assert 0 <= found.value <= 1


@given(
    failure=st.sampled_from([None, "server_error", "client_gone"]),
    validators=st.dictionaries(st.sampled_from(["json_schema", "exact", "tool_args"]), st.floats(0, 1), max_size=3),
    score=st.none() | st.floats(0, 1),
    latency_ms=st.floats(0, 1e5),
    output_tokens=st.integers(0, 10_000),
    repairs=st.integers(0, 3),
    cost_usd=st.floats(0, 0.1),
)
def test_reward_value_is_the_value_of_the_reward_to_the_last_bit(**measured: Any) -> None:
    weights = Weights(latency=2.5e-5, tokens=1e-6, repairs=0.2, cost=5.0)
    got = reward(**measured, weights=weights, gates=Gates())
    assert reward_value(**measured, weights=weights, gates=Gates()) == (None if got is None else got.value)
