"""Who may be drawn, and at which odds: the shares of one policy's new conversations."""

from collections.abc import Collection, Mapping, Sequence

from config.settings import BanditSettings
from gateway.pipeline.epoch import Entrance, Trial
from policies.assignment import Shares
from policies.bandit import Posterior
from policies.bandit import shares as thompson

_NO_TRIES: Mapping[str, int] = {}


def allocate(
    production: str,
    challengers: Sequence[str],
    holdback: tuple[str, float] | None,
    posteriors: Mapping[str, Posterior],
    settings: BanditSettings,
    *,
    tries: Mapping[str, int] = _NO_TRIES,
    capped: Collection[str],
    kept: Shares | None,
) -> Shares:
    """The odds of the next epoch.

    `holdback` is (arm, fixed share); the rest is the bandit's. `tries`: how often each challenger, or what it descends
    from, was stopped before; each time doubles the rewards that its ramp takes. `kept`: learning is frozen.
    Challengers keep these odds, a new one waits, and what one that is gone had goes to production. The holdback is no
    matter of learning: an operator may set it while everything else is frozen, and it takes its share from production.
    """
    held = holdback[1] if holdback is not None and 0.0 < holdback[1] < 1.0 else 0.0
    if kept is not None:
        rest = _kept(kept, production, challengers)
    else:
        drawn = thompson(
            production,
            challengers,
            posteriors,
            production_share=settings.production_share,
            floor=settings.floor,
            ceilings={arm: _ceiling(posteriors.get(arm), settings, tries.get(arm, 0)) for arm in challengers},
            capped=capped,
        )
        rest = {arm: p * (1.0 - held) for arm, p in zip(drawn.arms[1:], drawn.propensities[1:], strict=True)}
    if holdback is not None and held:
        rest[holdback[0]] = held
    return Shares((production, *rest), (1.0 - sum(rest.values()), *rest.values()))


def _ceiling(posterior: Posterior | None, settings: BanditSettings, tries: int) -> float:
    """What a challenger may get at most: exposure grows with what is known of it, not with time."""
    budget = 1.0 - settings.production_share
    rewards = posterior.weight - Posterior().weight if posterior is not None else 0.0
    ramp = settings.ramp * 2**tries
    return budget if rewards >= ramp else settings.floor + (budget - settings.floor) * rewards / ramp


def _kept(kept: Shares, production: str, challengers: Sequence[str]) -> dict[str, float]:
    had = dict(zip(kept.arms, kept.propensities, strict=True))
    return {arm: had[arm] for arm in challengers if arm in had and arm != production}


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
