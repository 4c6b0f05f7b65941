"""Outages of the upstream that a candidate alone uses, found afterwards in the recordings, in the order of assignment.

The gateways see an outage as it happens and write it down. But they may die with it, or be cut off from the registry,
and it may be over before the evolver looks. So whoever is about to judge a candidate asks here first: the same watch
that a gateway keeps, fed with the canary's first answers as they were assigned.

1. Before its deadline has passed, silence says nothing; behind it it is an answer that did not come.
2. An outage during the comparison counts, over or not: what was measured meanwhile is not the candidate's alone.
"""

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field

from evolver.context import Context
from evolver.odds import LAG_S
from evolver.sides import sides_of
from evolver.store import Place, Unit
from policies.evidence import ProviderState, ProviderWatch
from policies.outcome import OUTSIDE
from policies.outcome.classes import PROVIDERS
from policies.registry.values import Candidate, Experiment

BATCH = 2_000


@dataclass(slots=True)
class _Reading:
    """One comparison as far as its units are due. `first` is the state in which an outage was found."""

    after: Place
    watch: ProviderWatch = field(default_factory=ProviderWatch)
    first: ProviderState | None = None

    def add(self, unit: Unit, arms: frozenset[str]) -> None:
        self.after = (unit.at, unit.id)
        if unit.arm not in arms or (not unit.missing and unit.failure in OUTSIDE):
            return
        self.watch.add(unit.arm, unit.missing or unit.failure in PROVIDERS, now=unit.at)
        if self.first is None and self.watch.state().outage:
            self.first = self.watch.state()


@dataclass(frozen=True, slots=True)
class Outage:
    """What the recordings show, and up to when (Unix seconds) they do."""

    state: ProviderState
    until: float


class Outages:
    """Keeps what it has read of running comparisons; rebuilt from the recordings after a restart."""

    def __init__(self) -> None:
        self._readings: dict[str, _Reading] = {}

    def keep(self, experiments: Iterable[str]) -> None:
        """Forget the comparisons that are not among these."""
        wanted = set(experiments)
        self._readings = {name: reading for name, reading in self._readings.items() if name in wanted}

    async def during(self, candidate: Candidate, experiment: Experiment, context: Context) -> Outage | None:
        """The first outage of that comparison which the candidate's own arms show.

        Raises:
            NotFoundError: its control is no version.
        """
        policy = context.policy(candidate.policy)
        if policy is None:
            return None
        arms = (await sides_of(candidate, experiment, context))[1]
        due = self._readings.pop(experiment.id, None) or _Reading((experiment.started_at, ""))
        young = await _read(candidate.policy, due, arms, policy.breaker.deadline_s, context)
        self._readings[experiment.id] = due
        now = deepcopy(due)
        for unit in young:
            if not unit.missing:
                now.add(unit, arms)
        return Outage(now.first, now.after[0]) if now.first is not None else None


async def _read(policy: str, due: _Reading, arms: frozenset[str], deadline_s: float, context: Context) -> list[Unit]:
    """Take all units that are due; those that are not yet."""
    young: list[Unit] = []
    after, full = due.after, True
    while full:
        units = await context.store.units(
            policy, deadline_s=deadline_s, until=context.now - LAG_S, after=after, limit=BATCH
        )
        for unit in units:
            after = (unit.at, unit.id)
            if unit.at <= context.now - deadline_s:
                due.add(unit, arms)
            else:
                young.append(unit)
        full = len(units) == BATCH
    return young
