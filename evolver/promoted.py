"""The version in production, where it came there by a promotion: whose it is, and what it was compared with."""

from dataclasses import dataclass

from evolver.context import Context
from evolver.stations.deploy import holdback_experiment
from policies.errors import NotFoundError
from policies.registry.operations import find_version
from policies.registry.values import Candidate, Experiment, Holdback, Pointer, Version


@dataclass(frozen=True, slots=True)
class Promoted:
    """A promotion that still stands, unconfirmed or confirmed."""

    candidate: Candidate
    version: Version
    pointer: Pointer
    experiments: list[Experiment]  # the candidate's: its canary, then the comparisons that alarms began

    @property
    def canary(self) -> Experiment | None:
        """The comparison that brought it into production; its control is the predecessor. None after an override."""
        return next((e for e in self.experiments if e.verdict == "PROMOTE"), None)

    @property
    def baseline(self) -> Experiment | None:
        """The last comparison that ran its course: what was cut off shows no failure rate to hold a version to."""
        return next((e for e in reversed(self.experiments) if e.verdict == "INCONCLUSIVE" and e.evidence), self.canary)

    @property
    def comparison(self) -> Experiment | None:
        """The comparison with the predecessor that an alarm began and that still runs."""
        return next((e for e in self.experiments if e.ended_at is None), None)

    def compares(self, held: Holdback) -> bool:
        """Whether that holdback compares this version with its predecessor."""
        ours = {holdback_experiment(self.version.policy, self.version.label), *(e.id for e in self.experiments)}
        return held.policy == self.version.policy and held.experiment in ours


async def promoted(policy: str, context: Context) -> Promoted | None:
    """What stands in production by promotion; None where it is a file's, an operator's or a restored version."""
    pointer = await context.registry.production(policy)
    if pointer is None:
        return None
    version = await find_version(context.registry, policy, pointer.version)
    if "candidate" not in version.evidence:
        return None
    try:
        candidate = await context.registry.candidate(version.evidence["candidate"])
    except NotFoundError:
        return None
    if candidate.state not in ("promoted", "confirmed"):
        return None
    experiments = [e for e in await context.registry.experiments(policy) if e.candidate == candidate.id]
    return Promoted(candidate, version, pointer, experiments)
