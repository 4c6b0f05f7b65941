"""Bandits on recorded outcomes of two real models, beside those of other libraries.

Each row is a question with whether a cheap model and a dear one answered it right. An arm's reward is right (1) or
wrong (0), less what its tokens cost on a scale on which the dear model loses 0.1. Rows are split by a hash of their
prompt; only the half that tuned nothing is played, in an order drawn by the seed.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from policies.bandit import Posterior, shares
from policies.evidence import PromotionTest, threshold

RECORDED = Path(__file__).parents[3] / "shared" / "data" / "routing_outcomes.csv"
ARMS = ("cheap", "dear")
PRICES = {"cheap": 0.002, "dear": 0.1}  # of rewards: 0.6 and 30 dollars a million tokens
REFRESH = 25  # rewards between two refreshes of the product's probabilities

Rewards = NDArray[np.float64]


class Player(Protocol):
    """A bandit: draws an arm (0 cheap, 1 dear), then hears its reward in [0, 1]."""

    def pull(self) -> int: ...

    def hear(self, arm: int, reward: float) -> None: ...


def held_out(path: Path = RECORDED) -> Rewards:
    """(rows, 2): both models' rewards on the half of the questions that tuned nothing."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if blake2b(row["prompt"].encode(), digest_size=1).digest()[0] & 1]
    right = np.array([[float(row["weak_correct"]), float(row["strong_correct"])] for row in rows])
    return np.asarray(np.clip(right - np.array([PRICES[arm] for arm in ARMS]), 0.0, 1.0))


class Free:
    """The product's Thompson sampling without an exploration budget: how it learns, other things being equal."""

    def __init__(self, rng: np.random.Generator, *, production_share: float = 0.0, floor: float = 0.005) -> None:
        self._rng = rng
        self._share, self._floor = production_share, floor
        self._known = {arm: Posterior() for arm in ARMS}
        self._heard = 0
        self.odds = 0.5  # of the dear arm

    def pull(self) -> int:
        return int(self._rng.random() < self.odds)

    def hear(self, arm: int, reward: float) -> None:
        self._known[ARMS[arm]] = self._known[ARMS[arm]].update(reward)
        if self._heard % REFRESH == 0:
            drawn = shares("cheap", ["dear"], self._known, production_share=self._share, floor=self._floor)
            self.odds = drawn.propensity("dear")
        self._heard += 1


class Guarded(Free):
    """As the product rolls out: the cheap arm is production, the dear one in canary until it is proven better."""

    def __init__(self, rng: np.random.Generator) -> None:
        super().__init__(rng, production_share=0.8, floor=0.02)
        self.odds = 0.02
        self._test = PromotionTest(min_gain=0.01, failure=1.0, latency=1.0, cost=1.0)
        self.promoted_after: int | None = None

    def hear(self, arm: int, reward: float) -> None:
        if self.promoted_after is not None:
            return
        q = self.odds
        self._test.add(bool(arm), q, reward=reward, failed=False, latency_share=0.0, cost_share=0.0)
        super().hear(arm, reward)
        if self._test.e_values["reward"] >= threshold(1, 0, 0.10):
            self.promoted_after, self.odds = self._heard, 1.0


class Mabwiser:
    """mabwiser's ThompsonSampling, told each reward at once; it takes rewards of 0 and 1, so fractions are drawn."""

    def __init__(self, rng: np.random.Generator) -> None:
        from mabwiser.mab import MAB, LearningPolicy

        self._rng = rng
        seed = int(rng.integers(2**31))
        self._bandit = MAB(arms=[0, 1], learning_policy=LearningPolicy.ThompsonSampling(), seed=seed)
        self._bandit.fit([0, 1], [0, 0])

    def pull(self) -> int:
        return int(self._bandit.predict())

    def hear(self, arm: int, reward: float) -> None:
        self._bandit.partial_fit([arm], [int(self._rng.random() < reward)])


class River:
    """river's ThompsonSampling over Beta distributions, likewise."""

    def __init__(self, rng: np.random.Generator) -> None:
        from river.bandit import ThompsonSampling
        from river.proba import Beta

        self._rng = rng
        self._bandit = ThompsonSampling(reward_obj=Beta(), seed=int(rng.integers(2**31)))

    def pull(self) -> int:
        return int(self._bandit.pull([0, 1]))

    def hear(self, arm: int, reward: float) -> None:
        self._bandit.update(arm, bool(self._rng.random() < reward))


class Always:
    """One arm all the time."""

    def __init__(self, arm: int) -> None:
        self._arm = arm

    def pull(self) -> int:
        return self._arm

    def hear(self, arm: int, reward: float) -> None:
        """Nothing to learn."""


PLAYERS: dict[str, Callable[[np.random.Generator], Player]] = {
    "EvoGate, free": Free,
    "EvoGate, 20 % until proven": Guarded,
    "mabwiser": Mabwiser,
    "river": River,
    "cheap always": lambda _rng: Always(0),
    "dear always": lambda _rng: Always(1),
}


@dataclass(frozen=True)
class Played:
    """One player over all seeds: the sum of rewards, and what it lost against the better arm; means and a spread."""

    reward: float
    regret: float
    regret_sd: float
    best_share: float  # of pulls, the better arm's


def play(make: Callable[[np.random.Generator], Player], rewards: Rewards, seeds: int) -> Played:
    """Rewards are counted by their means, so that regret is the player's and not that of the order's luck."""
    means = rewards.mean(axis=0)
    best, got, regrets, shares_of_best = int(means.argmax()), [], [], []
    for seed in range(seeds):
        rng = np.random.default_rng([seed, 6])
        player, pulls, total = make(rng), np.zeros(2), 0.0
        for row in rng.permutation(len(rewards)):
            arm = player.pull()
            reward = float(rewards[row, arm])
            player.hear(arm, reward)
            pulls[arm] += 1
            total += reward
        got.append(total)
        regrets.append(float((means.max() - means) @ pulls))
        shares_of_best.append(pulls[best] / len(rewards))
    return Played(float(np.mean(got)), float(np.mean(regrets)), float(np.std(regrets)), float(np.mean(shares_of_best)))


def compare(seeds: int, path: Path = RECORDED) -> dict[str, Played]:
    """Every player on the same orders."""
    rewards = held_out(path)
    return {name: play(make, rewards, seeds) for name, make in PLAYERS.items()}
