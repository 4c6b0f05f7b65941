"""A categorical policy with one softmax per slot, and the step of GRPO on it.

Source: Shao et al., "DeepSeekMath", 2024: advantages relative to the group, the clipped ratio of PPO (Schulman et al.,
2017) for each decision, and the divergence from a reference policy, here in closed form.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evolver.training.space import Choices, Slot

Floats = NDArray[np.float64]


class Categorical:
    """Logits of every slot; `reference` stays what it was at the start."""

    def __init__(self, space: Sequence[Slot]) -> None:
        self.reference = [np.log(_prior(slot)) for slot in space]
        self.logits = [logits.copy() for logits in self.reference]

    def probabilities(self) -> list[Floats]:
        """Of each slot's options."""
        return [_softmax(logits) for logits in self.logits]

    def sample(self, rng: np.random.Generator) -> Choices:
        """One option of each slot."""
        return tuple(int(rng.choice(len(chances), p=chances)) for chances in self.probabilities())

    def mode(self) -> Choices:
        """The likeliest option of each slot; the first of equals."""
        return tuple(int(np.argmax(logits)) for logits in self.logits)

    def divergence(self) -> float:
        """KL from the reference, nats, summed over the slots."""
        pairs = zip(self.probabilities(), self.reference, strict=True)
        return float(sum((chances * (np.log(chances) - _log(reference))).sum() for chances, reference in pairs))

    def step(
        self,
        group: Sequence[Choices],
        advantages: Floats,
        old: Sequence[Floats],
        *,
        rate: float,
        clip: float,
        kl: float,
    ) -> float:
        """One gradient step up the clipped surrogate less `kl` times the divergence; the share of clipped ratios.

        Args:
            group: what was sampled from the policy whose probabilities were `old`.
            advantages: one for each of the group.
            rate: learning rate. clip: ratios beyond 1 ± clip push no further.
        """
        clipped = 0
        for place, logits in enumerate(self.logits):
            now = _softmax(logits)
            gradient = np.zeros_like(logits)
            for choices, advantage in zip(group, advantages, strict=True):
                chosen = choices[place]
                ratio = now[chosen] / old[place][chosen]
                if (ratio > 1 + clip and advantage > 0) or (ratio < 1 - clip and advantage < 0):
                    clipped += 1
                    continue
                gradient += advantage * ratio * (np.eye(len(now))[chosen] - now) / len(group)
            gap = np.log(now) - _log(self.reference[place])
            gradient -= kl * now * (gap - (now * gap).sum())
            self.logits[place] = logits + rate * gradient
        return clipped / max(1, len(group) * len(self.logits))


def advantages(rewards: Floats) -> Floats:
    """(r - mean) / std within the group; all zero where they do not differ."""
    spread = rewards.std()
    return np.zeros_like(rewards) if spread < 1e-9 else (rewards - rewards.mean()) / spread


def _prior(slot: Slot) -> Floats:
    others = len(slot.options) - 1
    return np.array([1.0 - slot.changes, *([slot.changes / others] * others)])


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max())
    return np.asarray(raised / raised.sum(), dtype=np.float64)


def _log(logits: Floats) -> Floats:
    return np.log(_softmax(logits))
