"""Fitness: what an answer was worth, from 0 to 1.

Gates first: a failure, or a validator below its gate, is worth 0. Then `quality - costs`, floored at 0, where quality
is the mean of the sources that exist (the validators that ran, an explicit score) and 1 where none does. The weights of
the costs are scaled to the policy's own budgets: an answer at its latency budget loses 0.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from policies.outcome.classes import UNION

_AT_BUDGET: Final = 0.1  # what `auto` takes from an answer that uses its whole budget
_ACCURACY: Final = frozenset({"accuracy", "exact", "numeric"})  # validators that compare with a known answer


@dataclass(frozen=True, slots=True)
class Weights:
    """Reward lost per millisecond, per output token, per repair and per US dollar."""

    latency: float = 0.0
    tokens: float = 0.0
    repairs: float = 0.0
    cost: float = 0.0


@dataclass(frozen=True, slots=True)
class Gates:
    """Least values of validators that ran: those that compare with a known answer, and all others."""

    validator_score: float = 0.9
    accuracy: float = 0.85


@dataclass(frozen=True, slots=True)
class Reward:
    """A value from 0 to 1 and what it is made of: sources (`validators`, `score`), `quality`, costs (negative)."""

    value: float
    parts: dict[str, float] = field(default_factory=dict)


def resolve(
    *,
    latency: float | Literal["auto"],
    tokens: float | Literal["auto"],
    repairs: float,
    cost: float | Literal["auto"],
    p95_ms: float,
    usd: float,
    max_tokens: int | None = None,
) -> Weights:
    """Weights with `auto` replaced by 0.1 / budget.

    Args:
        latency, tokens, repairs, cost: as configured.
        p95_ms: the policy's latency budget.
        usd: the policy's budget per request.
        max_tokens: budget of output tokens; without one, `auto` tokens weigh nothing, since cost prices them already.
    """
    return Weights(
        latency=_AT_BUDGET / p95_ms if latency == "auto" else latency,
        tokens=(_AT_BUDGET / max_tokens if max_tokens else 0.0) if tokens == "auto" else tokens,
        repairs=repairs,
        cost=_AT_BUDGET / usd if cost == "auto" else cost,
    )


def reward(
    *,
    failure: str | None,
    validators: Mapping[str, float],
    score: float | None,
    latency_ms: float,
    output_tokens: int,
    repairs: int,
    cost_usd: float,
    weights: Weights,
    gates: Gates,
) -> Reward | None:
    """What an answer was worth; None where it says nothing about the arm (hang-ups, 401, 403, 429).

    Args:
        failure: a `FailureClass`, or None.
        validators: name -> 0..1, of those that ran.
        score: explicit feedback, 0..1, where there is any.
        latency_ms, output_tokens, repairs, cost_usd: what the answer took.
        weights: from `resolve`.
        gates: least values of validators.
    """
    good = quality(failure=failure, validators=validators, score=score, gates=gates)
    if good is None:
        return None
    parts = _sources(validators, score)
    parts["quality"] = good
    if good == 0.0:
        return Reward(0.0, parts)
    costs = {
        "latency": -weights.latency * latency_ms,
        "tokens": -weights.tokens * output_tokens,
        "repairs": -weights.repairs * repairs,
        "cost": -weights.cost * cost_usd,
    }
    parts.update((name, loss) for name, loss in costs.items() if loss)
    return Reward(min(1.0, max(0.0, good + sum(costs.values()))), parts)


def reward_value(
    *,
    failure: str | None,
    validators: Mapping[str, float],
    score: float | None,
    latency_ms: float,
    output_tokens: int,
    repairs: int,
    cost_usd: float,
    weights: Weights,
    gates: Gates,
) -> float | None:
    """The value of `reward` without its parts: the same number to the last bit, at a third of the time."""
    if failure is None and not validators:
        good: float | None = 1.0 if score is None else score
    else:
        good = quality(failure=failure, validators=validators, score=score, gates=gates)
    if not good:
        return good
    losses = -weights.latency * latency_ms - weights.tokens * output_tokens - weights.repairs * repairs
    return min(1.0, max(0.0, good + (losses - weights.cost * cost_usd)))


def quality(*, failure: str | None, validators: Mapping[str, float], score: float | None, gates: Gates) -> float | None:
    """The part of a reward that is not cost, 0..1; None where the answer says nothing about the arm."""
    if failure is not None:
        return 0.0 if failure in UNION else None
    if any(value < _gate(name, gates) for name, value in validators.items()):
        return 0.0
    sources = _sources(validators, score)
    return sum(sources.values()) / len(sources) if sources else 1.0


def _gate(name: str, gates: Gates) -> float:
    return gates.accuracy if name in _ACCURACY else gates.validator_score


def _sources(validators: Mapping[str, float], score: float | None) -> dict[str, float]:
    sources = {}
    if validators:
        sources["validators"] = sum(validators.values()) / len(validators)
    if score is not None:
        sources["score"] = score
    return sources
