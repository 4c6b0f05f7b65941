"""In the shadow: the candidate answers beside production, and no client sees it. Ends by evidence or by the horizon.

Differences are candidate minus production on the same request, oriented so that more is better. The candidate passes
when all three are shown not to be worse than production by more than their margins, over as many hours of the day as
the policy asks for.
"""

from dataclasses import dataclass, field
from typing import Any

from config.policy import Policy
from evolver.context import Context, short
from evolver.stations.base import Move
from evolver.store import Pair
from policies.evidence import PairedTest
from policies.outcome import OUTSIDE
from policies.registry.values import Candidate

ALPHA = 0.05
BATCH = 2_000


@dataclass(slots=True)
class Comparison:
    """The running tests of one candidate, and how far they have read."""

    tests: dict[str, PairedTest]
    after: int = 0
    hours: set[int] = field(default_factory=set)  # of the day (UTC) that pairs counted in
    excluded: int = 0  # pairs that say nothing: a hang-up, a rate limit, production's outcome missing

    @property
    def pairs(self) -> int:
        """Pairs that counted."""
        return self.tests["quality"].n

    def add(self, pair: Pair, policy: Policy) -> None:
        """Count one pair."""
        differences = differences_of(pair, policy)
        if differences is None:
            self.excluded += 1
            return
        self.hours.add(int(pair.at // 3600.0) % 24)
        for name, difference in differences.items():
            self.tests[name].add(difference)

    def measured(self, now: float) -> dict[str, Any]:
        """As it is stored and shown."""
        found: dict[str, Any] = {"pairs": self.pairs, "excluded": self.excluded, "at": now}
        found["hours"] = sorted(self.hours)
        for name, test in self.tests.items():
            span = test.interval(ALPHA)
            values = {"e_value": test.e_value, "margin": test.delta, "estimate": test.estimate}
            found[name] = short({**values, **span._asdict()})
        return found


def comparison(policy: Policy) -> Comparison:
    """A new one, with the policy's margins."""
    margins = policy.promotion.non_inferiority
    wanted = {"quality": margins.quality, "latency": margins.latency, "cost": margins.cost}
    return Comparison({name: PairedTest(delta) for name, delta in wanted.items()})


def differences_of(pair: Pair, policy: Policy) -> dict[str, float] | None:
    """Quality, latency and cost in [-1, 1] as shares of the policy's budgets; None where the pair says nothing."""
    if pair.missing or any(failure in OUTSIDE for failure in pair.failures):
        return None
    ours, theirs = (reward if reward is not None else 0.0 for reward in pair.rewards)
    slow = [min(ms / policy.budgets.p95_ms, 1.0) for ms in pair.latencies_ms]
    dear = [min(usd / policy.budgets.usd_per_request, 1.0) for usd in pair.costs_usd]
    return {"quality": theirs - ours, "latency": slow[0] - slow[1], "cost": dear[0] - dear[1]}


class Shadow:
    """Reads shadow pairs as they are ingested; stores its result under `shadow`, verdict included."""

    def __init__(self) -> None:
        self._running: dict[str, Comparison] = {}

    async def step(self, candidate: Candidate, context: Context) -> Move | None:
        """Nothing until the evidence or the horizon ends it; nothing again once it has passed."""
        policy = context.policy(candidate.policy)
        if policy is None or candidate.stations.get("shadow", {}).get("verdict") == "pass":
            self._running.pop(candidate.id, None)
            return None
        running = self._running.setdefault(candidate.id, comparison(policy))
        await self._read(candidate, running, policy, context)
        move = decide(running, policy, now=context.now, since=candidate.state_since)
        if move is not None:
            self._running.pop(candidate.id, None)
        return move

    async def _read(self, candidate: Candidate, running: Comparison, policy: Policy, context: Context) -> None:
        for pair in await context.store.pairs(candidate.id, after=running.after, limit=BATCH):
            # Production's outcome may still be on its way; the deadline says how long that is believed.
            if pair.missing and context.now < pair.at + policy.breaker.deadline_s:
                return
            running.add(pair, policy)
            running.after = pair.number

    def progress(self, candidate: str) -> dict[str, Any]:
        """What is measured so far, for the screens."""
        running = self._running.get(candidate)
        return running.measured(0.0) if running else {}


def decide(running: Comparison, policy: Policy, *, now: float, since: float) -> Move | None:
    """Pass, fail, expire, or go on."""
    measured = running.measured(now)
    over = now - since >= policy.shadow.horizon_s
    if running.pairs >= policy.shadow.min_pairs:
        worse = [name for name, test in running.tests.items() if test.interval(ALPHA).high < -test.delta]
        if worse:
            return Move("fail", f"worse than production in the shadow: {', '.join(worse)}", "shadow", measured)
        covered = len(running.hours) >= policy.shadow.min_hours
        if covered and all(test.e_value >= 1 / ALPHA for test in running.tests.values()):
            measured["verdict"] = "pass"
            reason = f"as good as production in the shadow over {running.pairs} pairs; the judge is next"
            return Move(None, reason, "shadow", measured)
    if over:
        reason = f"the shadow's horizon ended without evidence ({running.pairs} pairs)"
        return Move("expire", reason, "shadow", measured)
    return None
