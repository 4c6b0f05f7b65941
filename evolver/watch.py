"""The evolver's own look at harm: the fleet's summed evidence of every canary, and the holdback of every promotion.

A gateway trips by itself from its own sums; this look catches what only the sum of all writers shows. Both ends write
the same thing: whoever comes second finds the candidate rolled back and does nothing.
"""

import logging
from collections import defaultdict
from typing import Any

from config.settings import Policy
from evolver.context import Context
from evolver.rollback import roll_back
from evolver.stations.deploy import holdback_experiment
from evolver.stations.promotion import BATCH
from policies.errors import ConflictError
from policies.evidence import FOLDED, ExperimentEvidence, Verdict
from policies.evidence.breaker import judge
from policies.evidence.experiment import CHANNELS
from policies.evidence.view import View, fleet
from policies.registry.operations import find_version, production_of
from policies.registry.values import Candidate, Experiment, Holdback, Totals

log = logging.getLogger(__name__)


class Watch:
    """Runs in every round, frozen or not: a rollback never waits."""

    def __init__(self) -> None:
        self.verdicts: dict[str, Verdict] = {}  # by candidate id, of those in canary
        self._holdbacks: dict[str, tuple[ExperimentEvidence, tuple[float, str]]] = {}

    async def look(self, context: Context) -> None:
        """Roll back whatever is proven harmful."""
        live = await context.registry.candidates(live=True)
        self.verdicts = {c.id: self.verdicts.get(c.id, "CLEAR") for c in live if c.state == "canary"}
        running = {e.candidate: e for e in await context.registry.experiments(running=True)}
        for candidate in live:
            policy = context.policy(candidate.policy)
            try:
                if policy is not None and candidate.state == "canary" and candidate.id in running:
                    await self._canary(candidate, running[candidate.id], policy, context)
                elif policy is not None and candidate.state == "promoted":
                    await self._promoted(candidate, policy, context)
            except ConflictError:
                log.info("candidate %s was rolled back elsewhere meanwhile", candidate.id)

    async def _canary(self, candidate: Candidate, experiment: Experiment, policy: Policy, context: Context) -> None:
        rows = by_writer(await context.registry.totals("evidence", experiment.id))
        if not rows:
            return
        view = summed(list(rows.values()), policy, context.now)
        verdict = judge(self.verdicts[candidate.id], [view.reading(policy.breaker.ratio)], runaway=False)
        self.verdicts[candidate.id] = verdict
        if verdict in ("TRIP", "SEVERE"):
            evidence = {"basis": "fleet", "e_values": view.e_values(), "writers": len(rows)}
            await context.registry.close_experiment(experiment.id, "ROLL BACK", evidence, now=context.now)
            summary = f"{candidate.id} is rolled back on the fleet's evidence: e-value {view.e_value(1):.3g}"
            await roll_back(
                candidate, context, kind=verdict, experiment=experiment.id, summary=summary, evidence=evidence
            )

    async def _promoted(self, candidate: Candidate, policy: Policy, context: Context) -> None:
        """Compare with the holdback; on proof of harm the predecessor takes over again."""
        label = candidate.stations.get("promotion", {}).get("version")
        held = next((h for h in await context.registry.holdbacks() if h.policy == candidate.policy), None)
        if label is None or held is None or held.experiment != holdback_experiment(candidate.policy, label):
            return
        promoted, pointer = await production_of(context.registry, candidate.policy)
        if promoted.label != label:
            return
        previous = await find_version(context.registry, candidate.policy, held.version)
        arms = (previous.genome.content_hash, promoted.genome.content_hash)
        decision = (await self._compare(held, arms, policy, context)).decision()
        if not decision.rolls_back:
            return
        await context.registry.move(
            candidate.policy,
            previous.label,
            expected_revision=pointer.revision,
            who="evolver",
            why=decision.summary,
            now=context.now,
        )
        await context.registry.set_holdback(candidate.policy, None)
        await roll_back(
            candidate,
            context,
            kind="EJECT",
            experiment=held.experiment,
            summary=decision.summary,
            evidence=decision.evidence,
        )

    async def _compare(
        self, held: Holdback, arms: tuple[str, str], policy: Policy, context: Context
    ) -> ExperimentEvidence:
        breaker = policy.breaker
        evidence, after = self._holdbacks.get(held.experiment) or (
            ExperimentEvidence(
                held.experiment,
                alpha=breaker.alpha,
                ratio=breaker.ratio,
                window_s=breaker.window_s,
                deadline_s=breaker.deadline_s,
            ),
            (held.since, ""),
        )
        until = context.now - breaker.deadline_s
        units = await context.store.units(
            held.policy, deadline_s=breaker.deadline_s, until=until, after=after, limit=BATCH
        )
        for unit in units:
            after = (unit.at, unit.id)
            old, new = (dict(unit.arms).get(arm, 0.0) for arm in arms)
            if unit.arm not in arms or old <= 0.0 or new <= 0.0:
                continue
            evidence.assigned(unit.id, at=unit.at, challenger=unit.arm == arms[1], q=new / (old + new))
            if not unit.missing:
                evidence.settled(unit.id, unit.failure, now=unit.at)
        evidence.advance(context.now)
        self._holdbacks[held.experiment] = (evidence, after)
        return evidence


def by_writer(totals: list[Totals]) -> dict[str, dict[int, dict[str, Any]]]:
    """Rows of the registry as each writer's `ExperimentEvidence.totals()`; a writer without its sum row is left out."""
    rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for row in totals:
        rows[row.writer][row.bucket] = row.data
    return {writer: buckets for writer, buckets in rows.items() if FOLDED in buckets}


def summed(rows: list[dict[int, dict[str, Any]]], policy: Policy, now: float) -> View:
    """The fleet's view of one experiment."""
    breaker = policy.breaker
    return fleet(
        rows,
        [channel.name for channel in CHANNELS],
        now=now,
        window_s=breaker.window_s,
        deadline_s=breaker.deadline_s,
        threshold=1 / breaker.alpha,
    )
