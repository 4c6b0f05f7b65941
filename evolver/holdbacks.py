"""A promoted version beside its predecessor: on proof of harm the predecessor takes over again.

The comparison is the holdback that a promotion leaves, or the 50/50 that an alarm begins (see `vigil`). The latter ends
without a verdict once a harm of the breaker's `ratio` would have shown, or at the promotion's horizon.
"""

import logging
from typing import Any

from config.policy import Policy
from evolver.context import Context
from evolver.promoted import Promoted, promoted
from evolver.rollback import roll_back
from evolver.stations.promotion import BATCH
from evolver.store import Place
from policies.evidence import Decision, ExperimentEvidence, detectable_ratio
from policies.registry.operations import find_version
from policies.registry.values import Holdback, Version

log = logging.getLogger(__name__)


class Holdbacks:
    """Keeps the evidence of each; rebuilt from the recordings after a restart."""

    def __init__(self) -> None:
        self._evidence: dict[str, tuple[ExperimentEvidence, Place]] = {}

    async def look(self, context: Context) -> None:
        """Eject what is proven harmful, end what can say no more.

        Raises:
            ConflictError: somebody else moved production meanwhile.
        """
        holdbacks = await context.registry.holdbacks()
        self._evidence = {
            h.experiment: self._evidence[h.experiment] for h in holdbacks if h.experiment in self._evidence
        }
        for name, policy in context.settings.policies.items():
            subject = await promoted(name, context)
            held = next((h for h in holdbacks if h.policy == name), None)
            if subject is not None and held is not None and subject.compares(held):
                await self._compare(subject, held, policy, context)
        await _close_left_over({h.experiment for h in holdbacks}, context)

    async def _compare(self, subject: Promoted, held: Holdback, policy: Policy, context: Context) -> None:
        previous = await find_version(context.registry, held.policy, held.version)
        arms = (previous.genome.content_hash, subject.version.genome.content_hash)
        decision = (await self._read(held, arms, policy, context)).decision()
        if decision.rolls_back:
            compared = {"subject": arms[1], "arms": [[arms[0]], [arms[1]]]}
            evidence = decision.evidence | compared
            await _eject(subject, previous, held, context, why=decision.summary, evidence=evidence)
        elif subject.comparison is not None and _over(held, decision, policy, context.now):
            log.info("%s: %s stays, nothing proves its predecessor better", held.policy, subject.version.label)
            await context.registry.close_experiment(held.experiment, "INCONCLUSIVE", decision.evidence, now=context.now)
            await context.registry.set_holdback(held.policy, None, now=context.now)

    async def _read(
        self, held: Holdback, arms: tuple[str, str], policy: Policy, context: Context
    ) -> ExperimentEvidence:
        breaker = policy.breaker
        evidence, after = self._evidence.get(held.experiment) or (
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
        self._evidence[held.experiment] = (evidence, after)
        return evidence


async def _eject(
    subject: Promoted, previous: Version, held: Holdback, context: Context, *, why: str, evidence: dict[str, Any]
) -> None:
    await context.registry.move(
        held.policy,
        previous.label,
        expected_revision=subject.pointer.revision,
        who="evolver",
        why=why,
        now=context.now,
    )
    if subject.comparison is not None:
        await context.registry.close_experiment(held.experiment, "ROLL BACK", evidence, now=context.now)
    await context.registry.set_holdback(held.policy, None, now=context.now)
    await roll_back(
        subject.candidate,
        context,
        kind="EJECT",
        experiment=held.experiment,
        summary=why,
        evidence=evidence,
    )


def _over(held: Holdback, decision: Decision, policy: Policy, now: float) -> bool:
    """Whether it could have said by now what it was begun for."""
    lasted_s = now - held.since
    if lasted_s >= policy.promotion.horizon_s:
        return True
    if decision.verdict != "CLEAR" or lasted_s < policy.breaker.window_s:
        return False
    (old, failures), (new, _) = (decision.evidence["counts"]["answer"][arm] for arm in ("production", "challenger"))
    p0 = (failures + 0.5) / (old + 1.0)
    rate, share = (old + new) / lasted_s, new / max(old + new, 1)
    visible = detectable_ratio(rate, share, p0, lasted_s, policy.breaker.alpha)
    return visible is not None and visible <= policy.breaker.ratio


async def _close_left_over(held: set[str], context: Context) -> None:
    """Comparisons whose holdback is gone: ended by a gateway's ejection, by an operator, or by the next promotion."""
    for experiment in await context.registry.experiments(running=True):
        if experiment.id in held:
            continue
        candidate = await context.registry.candidate(experiment.candidate)
        if candidate.state in ("promoted", "confirmed"):
            pointer = await context.registry.production(experiment.policy)
            returned = pointer is not None and pointer.version == experiment.control
            verdict = "ROLL BACK" if returned else "INCONCLUSIVE"
            await context.registry.close_experiment(experiment.id, verdict, {}, now=context.now)
