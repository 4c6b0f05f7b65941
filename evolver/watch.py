"""The evolver's own look at harm: the fleet's summed evidence of every canary, and every promotion's comparison.

A gateway trips by itself from its own sums; this look catches what only the sum of all writers shows. Both ends write
the same thing: whoever comes second finds the candidate rolled back and does nothing.
"""

import logging
from collections import defaultdict
from typing import Any

from config.policy import Policy
from evolver.context import Context
from evolver.holdbacks import Holdbacks
from evolver.outages import Outages
from evolver.rollback import roll_back
from evolver.suspension import suspended
from policies.errors import ConflictError
from policies.evidence import CHANNELS, FOLDED, Verdict
from policies.evidence.breaker import judge
from policies.evidence.returns import alpha_of, tries_of
from policies.evidence.view import View, fleet
from policies.registry.values import Candidate, Experiment, Totals

log = logging.getLogger(__name__)


class Watch:
    """Runs in every round, frozen or not: a rollback never waits."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}  # by candidate id, of those in canary
        self._holdbacks = Holdbacks()
        self._outages = Outages()

    async def look(self, context: Context) -> None:
        """Roll back whatever is proven harmful."""
        live = await context.registry.candidates(live=True)
        self.verdicts = {c.id: self.verdicts.get(c.id, "CLEAR") for c in live if c.state == "canary"}
        running = {e.candidate: e for e in await context.registry.experiments(running=True)}
        self._outages.keep(e.id for e in running.values())
        for candidate in live:
            policy = context.policy(candidate.policy)
            try:
                experiment = running.get(candidate.id)
                if policy is None or candidate.state != "canary":
                    continue
                resting = await suspended(candidate, experiment, self._outages, context)
                if experiment is not None and not resting:
                    await self._canary(candidate, experiment, policy, context)
            except ConflictError:
                log.info("candidate %s was changed elsewhere meanwhile", candidate.id)
        try:
            await self._holdbacks.look(context)
        except ConflictError as error:
            log.info("production moved meanwhile, looked at again in the next round (%s)", error)

    async def _canary(self, candidate: Candidate, experiment: Experiment, policy: Policy, context: Context) -> None:
        rows = by_writer(await context.registry.totals("evidence", experiment.id))
        if not rows:
            return
        alpha = alpha_of(policy.breaker.alpha, tries_of(candidate.stations))
        view = summed(list(rows.values()), policy, alpha, context.now)
        verdict = judge(self.verdicts[candidate.id], [view.reading(policy.breaker.ratio)], runaway=False)
        self.verdicts[candidate.id] = verdict
        if verdict in ("TRIP", "SEVERE"):
            evidence = {
                "basis": "fleet",
                "at": context.now,
                "e_values": view.e_values(),
                "watermarks": view.watermarks,
                "writers": len(rows),
            }
            await context.registry.close_experiment(experiment.id, "ROLL BACK", evidence, now=context.now)
            summary = f"{candidate.id} is rolled back on the fleet's evidence: e-value {view.e_value(1):.3g}"
            await roll_back(
                candidate, context, kind=verdict, experiment=experiment.id, summary=summary, evidence=evidence
            )


def by_writer(totals: list[Totals]) -> dict[str, dict[int, dict[str, Any]]]:
    """Rows of the registry as each writer's `ExperimentEvidence.totals()`; a writer without its sum row is left out."""
    rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in totals:
        rows[row.writer][row.bucket] = row.data
    return {writer: buckets for writer, buckets in rows.items() if FOLDED in buckets}


def summed(rows: list[dict[int, dict[str, Any]]], policy: Policy, alpha: float, now: float) -> View:
    """The fleet's view of one experiment, which may spend `alpha`."""
    breaker = policy.breaker
    return fleet(
        rows,
        [channel.name for channel in CHANNELS],
        now=now,
        window_s=breaker.window_s,
        deadline_s=breaker.deadline_s,
        threshold=1 / alpha,
    )
