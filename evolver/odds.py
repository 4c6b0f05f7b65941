"""Are the odds on record the odds in force? Where they are not, every e-value is void and all decisions stop.

1. A unit counts with its first draw; what was not drawn (pins, the only arm, a frozen gateway) says nothing.
2. Each set of arms is a test of its own: it is known before the draw, whatever experiment the frame names after it.
3. A test that has fired begins anew. The freeze lasts until an operator thaws, which also resolves the incident.
"""

import logging
from dataclasses import dataclass, field
from typing import Any

from evolver.context import Context, frozen
from evolver.store import Draw, Place
from policies.evidence import SampleRatio
from policies.evidence.sample_ratio import SampleRatios
from policies.registry.values import Incident

log = logging.getLogger(__name__)

BATCH = 2_000
LAG_S = 2.0  # by then every writer's frames of that time are in the database
KIND = "SAMPLE_RATIO"


@dataclass(slots=True)
class Bets:
    """One policy's tests, by their arms, and the place up to which draws are read."""

    after: Place = (0.0, "")
    ratios: SampleRatios = field(default_factory=SampleRatios)

    def add(self, draw: Draw) -> SampleRatio | None:
        """Bet on one draw; the test that fires with it, which is taken out."""
        self.after = draw.place
        try:
            return self.ratios.add(draw.arm, draw.odds)
        except ValueError as error:
            log.warning("request %s is left out of the sample-ratio test: %s", draw.place[1], error)
            return None

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        return {"after": list(self.after), "ratios": [[arms, r.to_dict()] for arms, r in self.ratios.tests.items()]}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Bets":
        """The inverse of `to_dict`; empty tests for an empty state."""
        if not data:
            return cls()
        at, name = data["after"]
        tests = {arms: SampleRatio.from_dict(ratio) for arms, ratio in data["ratios"]}
        return cls((at, name), SampleRatios(tests))


class Odds:
    """Reads the draws of all policies as they come."""

    def __init__(self) -> None:
        self._bets: dict[str, Bets] = {}

    async def look(self, context: Context) -> None:
        """Test what is new; freeze where the draws do not follow their odds."""
        if not await frozen(context.registry):
            for incident in await self._open(context):
                await context.registry.resolve_incident(incident.id, now=context.now)
        for policy in context.settings.policies:
            await self._policy(policy, context)

    async def _policy(self, policy: str, context: Context) -> None:
        name = f"odds:{policy}"
        # Taken out until all is done: a round that fails half-way is done again from what was kept.
        bets = self._bets.pop(policy, None) or Bets.from_dict(await context.store.kept(name))
        until = context.now - LAG_S
        draws = await context.store.draws(policy, until=until, after=bets.after, limit=BATCH)
        for draw in draws:
            fired = bets.add(draw)
            if fired is not None:
                await self._stop(policy, draw, fired, context)
        if len(draws) < BATCH:
            bets.after = max(bets.after, (until, ""))  # what lies before was no draw: it is not looked at again
        await context.store.keep(name, bets.to_dict())
        self._bets[policy] = bets

    async def _stop(self, policy: str, draw: Draw, ratio: SampleRatio, context: Context) -> None:
        """Freeze everything, once for each time that an operator thaws it; `News` tells the webhook."""
        stopped = await frozen(context.registry)
        if stopped and any(incident.policy == policy for incident in await self._open(context)):
            return
        counts = {arm: {"drawn": seen, "expected": round(mean, 3)} for arm, (seen, mean) in ratio.counts().items()}
        why = f"the draws of policy '{policy}' do not follow the odds on record (e-value {ratio.e_value:.3g})"
        log.error("%s: all decisions are frozen; look at the gateways' versions and clocks, then thaw", why)
        if not stopped:
            state = {"frozen": True, "who": "evolver", "why": why, "at": context.now}
            await context.registry.set_state("freeze", state)
        evidence = {"e_value": ratio.e_value, "units": ratio.units, "counts": counts, "drawn": draw.arm}
        await context.registry.add_incident(
            Incident(
                id=f"sample-ratio-{draw.place[1]}",
                policy=policy,
                kind="SAMPLE_RATIO",
                at=context.now,
                subject=policy,
                summary=why,
                evidence=evidence,
            )
        )

    async def _open(self, context: Context) -> list[Incident]:
        incidents = await context.registry.incidents()
        return [each for each in incidents if each.kind == KIND and each.resolved_at is None]
