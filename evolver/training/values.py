"""The words of training: groups and what they showed, and the version candidate that comes out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from evolver.examples import Example
from evolver.search.values import Score
from policies.genome import Genome, Lineage

Method = Literal["grpo", "experience"]


@dataclass(frozen=True, slots=True)
class Answered:
    """One rollout: how good the answer was, and its words. `failure` is a policies.outcome.FailureClass value."""

    score: Score
    text: str
    failure: str | None = None


Ask = Callable[[Genome, Sequence[Example]], Awaitable[list[Answered]]]


@dataclass(frozen=True, slots=True)
class GroupStatistics:
    """One group of rollouts on the same requests. Rewards are 0..1."""

    round: int
    cluster: str  # terms of the failures
    size: int  # rollouts that were measured
    mean: float
    std: float
    best: float
    skipped: str = ""  # why nothing was learnt from it
    kl: float = 0.0  # of the policy from its reference after the update, nats (GRPO)
    clipped: float = 0.0  # share of the ratios that were clipped in the last pass (GRPO)
    learnt: str = ""  # add, update or delete, where a rule was taken up (training-free)


@dataclass(frozen=True, slots=True)
class RewardGain:
    """Mean gain in reward over the base on `examples` that training never saw; `low` bounds it at about 95 %."""

    mean: float
    low: float
    examples: int
    base: float  # mean reward of the base there


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training run; no genome where nothing was learnt that holds on other examples."""

    method: Method
    genome: Genome | None
    lineage: Lineage | None
    reward_gain: RewardGain | None
    groups: tuple[GroupStatistics, ...]
    calls: int
    usd: float
    said: str  # how it ended, one sentence
    faults: tuple[str, ...] = ()
    policy: dict[str, dict[str, float]] | None = None  # slot -> option -> learnt probability (GRPO)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            **self.statistics(),
            "genome": self.genome.canonical() if self.genome else None,
            "hash": self.genome.content_hash if self.genome else None,
            "lineage": self.lineage.model_dump(mode="json") if self.lineage else None,
        }

    def statistics(self) -> dict[str, Any]:
        """What stands behind the genome, as it is stored beside a candidate."""
        return {
            "method": self.method,
            "reward_gain": asdict(self.reward_gain) if self.reward_gain else None,
            "groups": [asdict(group) for group in self.groups],
            "calls": self.calls,
            "usd": self.usd,
            "said": self.said,
            "faults": list(self.faults),
            "policy": self.policy,
        }
