"""In the shadow: the candidate answers beside production, and no client sees it. Ends by evidence or by the horizon.

What it decides by is `policies.evidence.mirrored`. Pairs enter in the order in which they arrive; which writers they
came from is kept beside the result, so that the same pairs can be taken in the same order again.
"""

from dataclasses import asdict, dataclass, field
from typing import Any

from config.policy import Policy
from evolver.context import Context
from evolver.stations.base import Move
from evolver.store import Pair
from policies.evidence.mirrored import Answered, Mirrored, MirrorTerms, terms_of
from policies.registry.values import Candidate

BATCH = 2_000


@dataclass(slots=True)
class Comparison:
    """The running tests of one candidate, and how far they have read."""

    tests: Mirrored
    after: int = 0
    order: list[list[Any]] = field(default_factory=list)  # [writer, pairs in a row], as they arrived
    missing: list[str] = field(default_factory=list)  # requests without an outcome of production by their deadline

    def add(self, pair: Pair) -> None:
        """Count one pair."""
        self.after = pair.number
        if not self.order or self.order[-1][0] != pair.writer:
            self.order.append([pair.writer, 0])
        self.order[-1][1] += 1
        if pair.missing:
            self.missing.append(pair.id)
        ours, theirs = (
            Answered(*values)
            for values in zip(pair.failures, pair.rewards, pair.latencies_ms, pair.costs_usd, strict=True)
        )
        self.tests.add(None if pair.missing else ours, theirs, pair.at)

    def measured(self, now: float) -> dict[str, Any]:
        """As it is stored and shown."""
        return self.tests.measured() | {"at": now}


def mirror_terms(policy: Policy) -> MirrorTerms:
    """By what the shadow of a policy decides."""
    return terms_of(policy.model_dump(include={"promotion", "budgets", "shadow"}))


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
        running, terms = self._running.get(candidate.id), mirror_terms(policy)
        if running is None or running.tests.terms != terms:  # all of it by one set of terms
            running = self._running[candidate.id] = Comparison(Mirrored(terms))
        await self._read(candidate, running, policy, context)
        move = decide(running, now=context.now, since=candidate.state_since)
        if move is not None:
            self._running.pop(candidate.id, None)
        return move

    async def _read(self, candidate: Candidate, running: Comparison, policy: Policy, context: Context) -> None:
        for pair in await context.store.pairs(candidate.id, after=running.after, limit=BATCH):
            # Production's outcome may still be on its way; the deadline says how long that is believed.
            if pair.missing and context.now < pair.at + policy.breaker.deadline_s:
                return
            running.add(pair)

    def progress(self, candidate: str) -> dict[str, Any]:
        """What is measured so far, for the screens."""
        running = self._running.get(candidate)
        return running.measured(0.0) if running else {}


def decide(running: Comparison, *, now: float, since: float) -> Move | None:
    """Pass, fail, expire, or go on."""
    verdict, pairs = running.tests.verdict(now - since), running.tests.pairs
    if not verdict:
        return None
    kept = {"verdict": verdict, "since": since, "terms": asdict(running.tests.terms)}
    measured = running.measured(now) | kept | {"order": running.order, "missing": running.missing}
    if verdict == "pass":
        reason = f"as good as production in the shadow over {pairs} pairs; the judge is next"
        return Move(None, reason, "shadow", measured)
    if verdict == "fail":
        return Move(
            "fail", f"worse than production in the shadow: {', '.join(running.tests.worse())}", "shadow", measured
        )
    return Move("expire", f"the shadow's horizon ended without evidence ({pairs} pairs)", "shadow", measured)
