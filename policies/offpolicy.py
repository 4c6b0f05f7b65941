"""Off-policy estimates: what reward would another choice of actions have earned, judged from the log alone?

Only for choices that were logged with their propensities (model, route, consensus) and that the other policy makes
with known probabilities. Three estimators:

* IPS: mean of w R with w = target/logged propensity; unbiased, noisy where the policies differ.
* SNIPS: sum of w R over sum of w; within the rewards' range, of slight bias.
* doubly robust: a model's prediction plus IPS on what it missed; unbiased if either of the two is right.

There is no number without overlap: the effective sample size must reach `LEAST_ESS`, and the mean weight must lie
near 1, as it does in expectation wherever the target's actions all had a chance. A new prompt has no overlap with the
log at all; it is estimated in the shadow instead.

Sources: Horvitz and Thompson 1952; Swaminathan and Joachims 2015; Dudik, Langford and Li 2011; Kong 1992 for the ESS.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, sqrt

LEAST_ESS = 200.0
MEAN_WEIGHT_WITHIN = 0.1
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Logged:
    """One unit of the log. `predicted` and `expected` come from a reward model fitted on other units.

    `propensity` in (0, 1]: of the logged action when it was drawn; `target` in [0, 1]: of that action under the other
    policy; `predicted`: the model's reward for the logged action; `expected`: its mean over the target's actions.
    """

    propensity: float
    target: float
    reward: float
    predicted: float = 0.0
    expected: float = 0.0

    def __post_init__(self) -> None:
        if not 0.0 < self.propensity <= 1.0 or not 0.0 <= self.target <= 1.0:
            raise ValueError(f"propensity {self.propensity} and target {self.target} are no odds of a drawn action")
        if not all(map(isfinite, (self.reward, self.predicted, self.expected))):
            raise ValueError("rewards must be finite numbers")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean reward with its standard error; the interval is asymptotic, for a log that is read once."""

    value: float
    standard_error: float

    @property
    def interval(self) -> tuple[float, float]:
        """About 95 %."""
        return self.value - _NORMAL_95 * self.standard_error, self.value + _NORMAL_95 * self.standard_error


@dataclass(frozen=True, slots=True)
class OffPolicy:
    """The three estimates and what they rest on; estimates are None where `refused` says why there is no number."""

    units: int
    effective: float  # the effective sample size, (sum of w)^2 / sum of w^2
    mean_weight: float
    refused: str
    ips: Estimate | None = None
    snips: Estimate | None = None
    doubly_robust: Estimate | None = None


def estimate(log: Iterable[Logged]) -> OffPolicy:
    """Judge the target policy from the log of another."""
    units = list(log)
    weights = [unit.target / unit.propensity for unit in units]
    n, total, squares = len(units), sum(weights), sum(weight * weight for weight in weights)
    effective = total * total / squares if squares else 0.0
    mean_weight = total / n if n else 0.0
    refused = _refusal(effective, mean_weight)
    if refused:
        return OffPolicy(n, effective, mean_weight, refused)
    value = sum(w * unit.reward for w, unit in zip(weights, units, strict=True)) / total
    residuals = sum((w * (unit.reward - value)) ** 2 for w, unit in zip(weights, units, strict=True))
    return OffPolicy(
        n,
        effective,
        mean_weight,
        "",
        ips=_mean([w * unit.reward for w, unit in zip(weights, units, strict=True)]),
        snips=Estimate(value, sqrt(residuals) / total),
        doubly_robust=_mean(
            [unit.expected + w * (unit.reward - unit.predicted) for w, unit in zip(weights, units, strict=True)]
        ),
    )


def _refusal(effective: float, mean_weight: float) -> str:
    if effective < LEAST_ESS:
        return f"the log is worth {effective:.0f} units for this policy, {LEAST_ESS:.0f} are needed"
    if abs(mean_weight - 1.0) > MEAN_WEIGHT_WITHIN:
        return f"the mean weight is {mean_weight:.3f}, not near 1: the log lacks actions that this policy takes"
    return ""


def _mean(values: list[float]) -> Estimate:
    n = len(values)
    mean = sum(values) / n
    return Estimate(mean, sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n))
