"""Who may be drawn, and at which odds: the shares of one policy's new conversations."""

from collections.abc import Collection, Mapping, Sequence

from config.policy import BanditSettings
from gateway.pipeline.epoch import Entrance, Trial
from policies.assignment import Shares
from policies.bandit import Posterior
from policies.bandit import shares as thompson
from policies.factorial import Design, Sides, propensity, share_of_each

_NO_TRIES: Mapping[str, int] = {}


def allocate(
    production: str,
    challengers: Sequence[str],
    holdback: tuple[str, float] | None,
    posteriors: Mapping[str, Posterior],
    settings: BanditSettings,
    *,
    design: Design | None = None,
    tries: Mapping[str, int] = _NO_TRIES,
    overall: Mapping[str, Posterior] | None = None,
    capped: Collection[str],
    kept: Shares | None,
) -> Shares:
    """The odds of the next epoch.

    `posteriors` may be those of one intent; `overall` are then those of all, which the ramp goes by.

    `holdback` is (arm, fixed share); the rest is the bandit's. `design`: candidates of several layers are drawn
    independently of each other, and `challengers` are the arms of all combinations. `tries`: how often each challenger,
    or what it descends from, was stopped before; each time doubles the rewards that its ramp takes. `kept`: learning is
    frozen.
    Challengers keep these odds, a new one waits, and what one that is gone had goes to production. The holdback is no
    matter of learning: an operator may set it while everything else is frozen, and it takes its share from production.
    """
    held = holdback[1] if holdback is not None and 0.0 < holdback[1] < 1.0 else 0.0
    if kept is not None:
        rest = _kept(kept, production, challengers)
    else:
        drawn = (
            _draw(
                production,
                challengers,
                posteriors,
                settings,
                settings.production_share,
                overall=overall or posteriors,
                tries=tries,
                capped=capped,
            )
            if design is None
            else _joint(design, posteriors, overall or posteriors, settings, tries=tries, capped=capped)
        )
        rest = {arm: p * (1.0 - held) for arm, p in zip(drawn.arms[1:], drawn.propensities[1:], strict=True)}
    if holdback is not None and held:
        rest[holdback[0]] = held
    return Shares((production, *rest), (1.0 - sum(rest.values()), *rest.values()))


def _joint(
    design: Design,
    posteriors: Mapping[str, Posterior],
    overall: Mapping[str, Posterior],
    settings: BanditSettings,
    *,
    tries: Mapping[str, int],
    capped: Collection[str],
) -> Shares:
    share = share_of_each(settings.production_share, len(design.factors))
    draws = [
        _draw(
            design.production,
            factor,
            design.marginal(at, posteriors),
            settings,
            share,
            overall=design.marginal(at, overall),
            tries=tries,
            capped=capped,
        )
        for at, factor in enumerate(design.factors)
    ]
    return design.joint(draws)


def _draw(
    production: str,
    challengers: Sequence[str],
    posteriors: Mapping[str, Posterior],
    settings: BanditSettings,
    production_share: float,
    *,
    overall: Mapping[str, Posterior],
    tries: Mapping[str, int],
    capped: Collection[str],
) -> Shares:
    budget = 1.0 - production_share
    ceilings = {arm: _ceiling(overall.get(arm), settings, budget, tries.get(arm, 0)) for arm in challengers}
    return thompson(
        production,
        challengers,
        posteriors,
        production_share=production_share,
        floor=settings.floor,
        ceilings=ceilings,
        capped=capped,
    )


def _ceiling(posterior: Posterior | None, settings: BanditSettings, budget: float, tries: int) -> float:
    """What a challenger may get at most: exposure grows with what is known of it, not with time."""
    rewards = posterior.weight - Posterior().weight if posterior is not None else 0.0
    ramp = settings.ramp * 2**tries
    return budget if rewards >= ramp else settings.floor + (budget - settings.floor) * rewards / ramp


def _kept(kept: Shares, production: str, challengers: Sequence[str]) -> dict[str, float]:
    had = dict(zip(kept.arms, kept.propensities, strict=True))
    return {arm: had[arm] for arm in challengers if arm in had and arm != production}


def entrances(shares: Shares, trials: Sequence[Trial]) -> tuple[tuple[Entrance, ...], ...]:
    """For each arm of the draw, how its units enter the running experiments.

    A comparison sees only units of its two sides, with the subject's propensity among them: two arms, or in a factorial
    all that have the subject's layer and all that have production's in its place.
    """
    odds = dict(zip(shares.arms, shares.propensities, strict=True))
    found: dict[str, list[Entrance]] = {arm: [] for arm in shares.arms}
    for trial in trials:
        sides = sides_of(trial)
        q = propensity(odds, sides)
        if q is None:
            continue
        for challenger, side in enumerate(sides):
            for arm in side & odds.keys():
                found[arm].append(Entrance(trial.experiment, challenger=bool(challenger), q=q))
    return tuple(tuple(found[arm]) for arm in shares.arms)


def sides_of(trial: Trial) -> Sides:
    """The arms that a comparison holds against each other: the control's, the subject's."""
    return trial.sides or (frozenset({trial.control}), frozenset({trial.subject}))
