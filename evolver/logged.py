"""What the log says of a candidate already: the rewards of its actions, where users were given them at known odds.

That happens where content returns (it was in canary on the version that has come back into production, or was one
combination of a factorial), and where its choice of the model coincides with another arm's, request by request
(`policies.actions`): of a router's weights, of models by intent, of another model. Each unit of the log is weighted by
what the candidate would have done over what was drawn (`policies.offpolicy`); a prompt that nobody was ever given has
no overlap with the log, and gets no number but the reason why.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from evolver.context import Context, short
from evolver.store import Unit
from policies.actions import Actor, overlap
from policies.evidence.comparison import Prediction
from policies.genome import Genome
from policies.offpolicy import Logged, OffPolicy, estimate
from policies.registry.port import Registry

UNITS = 20_000  # that are looked at
RECENT = 5_000  # of them, where many genomes are to be judged
_BATCH = 2_000
LOOK_BACK_S = 30 * 86_400.0
_NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class Log:
    """Units that were drawn, with their rewards, and the genomes that they could have been given, by content hash."""

    units: Sequence[Unit]
    actors: Mapping[str, Actor]

    @property
    def recent(self) -> "Log":
        """The newest of them."""
        return Log(self.units[-RECENT:], self.actors)


async def read_log(policy: str, context: Context) -> Log:
    """The policy's newest units whose deadline has passed."""
    settings = context.policy(policy)
    deadline_s = settings.breaker.deadline_s if settings is not None else 0.0
    units: list[Unit] = []
    after = (context.now - LOOK_BACK_S, "")
    while len(units) < UNITS:
        batch = await context.store.units(
            policy, deadline_s=deadline_s, until=context.now - deadline_s, after=after, limit=_BATCH
        )
        units += batch
        if len(batch) < _BATCH:
            break
        after = (batch[-1].at, batch[-1].id)
    return Log([unit for unit in units if unit.reward is not None], await _actors(policy, context.registry))


async def _actors(policy: str, registry: Registry) -> dict[str, Actor]:
    genomes = [version.genome for version in await registry.versions(policy)]
    genomes += [candidate.genome for candidate in await registry.candidates(policy)]
    return {genome.content_hash: Actor.of(genome) for genome in genomes}


async def from_the_log(policy: str, candidate: Genome, production: Genome, context: Context) -> dict[str, Any]:
    """See `compared`."""
    return compared(await read_log(policy, context), candidate, production)


def compared(log: Log, candidate: Genome, production: Genome) -> dict[str, Any]:
    """Both estimated on the units that could have been given what either would have done; JSON-able.

    `gain` (in reward) with `low` and `high`, about 95 %, is the doubly robust estimate of their paired difference; None
    where there is no number for one of them. `covered` is the share of the log that the units are.
    """
    sides: tuple[list[Logged], list[Logged]] = ([], [])
    targets = [_Target(Actor.of(genome), log.actors, {}) for genome in (candidate, production)]
    prediction = Prediction()
    for unit in log.units:
        assert unit.reward is not None, "units without a reward are left out before"
        m = prediction.of(unit.intent)
        pair = [target.weighed(unit, m) for target in targets]
        prediction.add(unit.reward, unit.intent)
        if pair[0] is not None and pair[1] is not None:
            sides[0].append(pair[0])
            sides[1].append(pair[1])
    theirs, ours = estimate(sides[0]), estimate(sides[1])
    gain = _difference(*sides) if theirs.snips is not None and ours.snips is not None else None
    low_high = {"low": gain[0] - gain[1], "high": gain[0] + gain[1]} if gain is not None else {}
    covered = len(sides[0]) / len(log.units) if log.units else 0.0
    return short({"gain": gain[0] if gain is not None else None, **low_high, "covered": covered}) | {
        "candidate": _shown(theirs),
        "production": _shown(ours),
    }


@dataclass(frozen=True, slots=True)
class _Target:
    """A genome to be judged; what depends on no terms is worked out once."""

    actor: Actor
    known: Mapping[str, Actor]
    found: dict[tuple[Any, ...], tuple[float, bool]]

    def weighed(self, unit: Unit, m: float) -> Logged | None:
        """A unit as evidence of what the target would have earned; None where nobody could have been given that.

        `m` is predicted from what was known before: the running mean of the intent.
        """
        assert unit.reward is not None
        odds, same = self._overlap(unit)
        return Logged(min(1.0, odds), float(same), unit.reward, predicted=m, expected=m) if odds > 0.0 else None

    def _overlap(self, unit: Unit) -> tuple[float, bool]:
        if unit.terms is not None:
            return overlap(self.actor, dict(unit.arms), unit.arm, self.known, intent=unit.intent, terms=unit.terms)
        key = unit.arms, unit.arm, unit.intent
        if key not in self.found:
            self.found[key] = overlap(self.actor, dict(unit.arms), unit.arm, self.known, intent=unit.intent)
        return self.found[key]


def _difference(theirs: Iterable[Logged], ours: Iterable[Logged]) -> tuple[float, float]:
    """(mean of the paired doubly robust differences, half of its interval): what both share is no noise."""
    gaps = [_robust(one) - _robust(other) for one, other in zip(theirs, ours, strict=True)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / max(1, len(gaps) - 1)
    return mean, _NORMAL_95 * sqrt(variance / len(gaps))


def _robust(unit: Logged) -> float:
    return unit.expected + unit.target / unit.propensity * (unit.reward - unit.predicted)


def _shown(found: OffPolicy) -> dict[str, Any]:
    basis = short({"units": found.units, "effective": found.effective, "mean_weight": found.mean_weight})
    if found.refused:
        return {**basis, "refused": found.refused}
    estimates = {"ips": found.ips, "snips": found.snips, "doubly_robust": found.doubly_robust}
    return basis | {
        name: short({"value": each.value, "low": each.interval[0], "high": each.interval[1]})
        for name, each in estimates.items()
        if each is not None
    }
