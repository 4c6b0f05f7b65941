"""The odds of one policy's next epoch: those of all requests, and those of the intents that are told apart.

An arm may be better for one kind of request and worse for another. A draw among an intent's own odds is as good for the
evidence as any other: they are known before it, they are recorded with the request, and every increment is weighted by
them. Posteriors stay comparable, because rewards are taken relative to the intent's mean.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from config.policy import BanditSettings
from gateway.pipeline.allocation import allocate, entrances
from gateway.pipeline.epoch import Drawing, Trial
from gateway.pipeline.posteriors import Posteriors
from policies.bandit import Posterior
from policies.factorial import Design

TOLD_APART = (
    8  # intents with odds of their own, the most rewarded: each costs an integration an epoch, 0.1 ms at two arms
)


@dataclass(frozen=True, slots=True)
class Drawings:
    """What the odds depend on, besides the intent. `challengers` are all arms of the draw but the holdback."""

    policy: str
    production: str
    challengers: Sequence[str]
    holdback: tuple[str, float] | None
    design: Design | None
    trials: Sequence[Trial]
    suspects: Collection[str]
    settings: BanditSettings
    posteriors: Posteriors

    def overall(self, former: Drawing | None) -> Drawing:
        """For requests whose intent is not known, or not told apart; `former`: learning is frozen, these odds stay."""
        return self._drawing("", former)

    def by_intent(self, former: Mapping[str, Drawing], otherwise: Drawing | None) -> dict[str, Drawing]:
        """For each intent with rewards on the challengers; where learning is frozen `former`, or else `otherwise`."""
        intents = self.posteriors.intents(self.policy, self.challengers)[:TOLD_APART]
        return {intent: self._drawing(intent, former.get(intent, otherwise)) for intent in intents}

    def _drawing(self, intent: str, former: Drawing | None) -> Drawing:
        shares = allocate(
            self.production,
            self.challengers,
            self.holdback,
            self._known(intent),
            self.settings,
            design=self.design,
            tries={trial.subject: trial.tries for trial in self.trials},
            overall=self._known(""),
            capped=self.suspects,
            kept=former.shares if former is not None else None,
        )
        odds = tuple(zip(shares.arms, shares.propensities, strict=True))
        return Drawing(shares, odds, entrances(shares, self.trials))

    def _known(self, intent: str) -> dict[str, Posterior]:
        arms = (self.production, *self.challengers)
        return {arm: self.posteriors.exchanged(self.policy, arm, intent) for arm in arms}
