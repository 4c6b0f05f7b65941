"""Who may be drawn, and at which odds: the shares of one policy's new conversations."""

from collections.abc import Collection, Mapping, Sequence

from config.settings import BanditSettings
from gateway.pipeline.epoch import Entrance, Trial
from policies.assignment import Shares
from policies.bandit import Posterior
from policies.bandit import shares as thompson


def allocate(
    production: str,
    challengers: Sequence[str],
    holdback: tuple[str, float] | None,
    posteriors: Mapping[str, Posterior],
    settings: BanditSettings,
    *,
    capped: Collection[str],
    kept: Shares | None,
) -> Shares:
    """The odds of the next epoch.

    `holdback` is (arm, fixed share); the rest is the bandit's. `kept`: learning is frozen, arms keep these odds, and
    what an arm that is gone had goes to production; an arm that is new waits.
    """
    if kept is not None:
        return _keep(kept, production, [*challengers, *([holdback[0]] if holdback else [])])
    drawn = thompson(
        production,
        challengers,
        posteriors,
        production_share=settings.production_share,
        floor=settings.floor,
        capped=capped,
    )
    if holdback is None or not 0.0 < holdback[1] < 1.0:
        return drawn
    rest = [p * (1.0 - holdback[1]) for p in drawn.propensities[1:]]
    return Shares((*drawn.arms, holdback[0]), (1.0 - sum(rest) - holdback[1], *rest, holdback[1]))


def _keep(kept: Shares, production: str, others: Sequence[str]) -> Shares:
    had = dict(zip(kept.arms, kept.propensities, strict=True))
    staying = [(arm, had[arm]) for arm in others if arm in had and arm != production]
    return Shares(
        (production, *(arm for arm, _ in staying)), (1.0 - sum(share for _, share in staying), *(s for _, s in staying))
    )


def entrances(shares: Shares, trials: Sequence[Trial]) -> tuple[tuple[Entrance, ...], ...]:
    """For each arm of the draw, how its units enter the running experiments.

    A comparison of two arms sees only units of these two, with the subject's propensity among them.
    """
    odds = dict(zip(shares.arms, shares.propensities, strict=True))
    found: dict[str, list[Entrance]] = {arm: [] for arm in shares.arms}
    for trial in trials:
        if trial.subject not in odds or trial.control not in odds:
            continue
        q = odds[trial.subject] / (odds[trial.subject] + odds[trial.control])
        found[trial.subject].append(Entrance(trial.experiment, challenger=True, q=q))
        found[trial.control].append(Entrance(trial.experiment, challenger=False, q=q))
    return tuple(tuple(found[arm]) for arm in shares.arms)
