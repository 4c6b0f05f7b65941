"""What is in production after a promotion must not fail more often than its own canary showed.

1. The detector is fed with the first answer of each new conversation on the production arm, in the order of assignment:
   one that has neither settled nor passed its deadline holds back those behind it.
2. An alarm is no verdict, for there is no second arm: it re-randomises 50/50 with the predecessor, and that comparison
   decides (see `holdbacks`). One that ends without a verdict gives the next detector its baseline.
3. An alarm during a provider's outage, a freeze or in mode observe only restarts the detector.
"""

import logging
import secrets
from dataclasses import dataclass
from typing import Any

from config.policy import Policy
from evolver.context import Context, frozen
from evolver.odds import LAG_S
from evolver.promoted import Promoted, promoted
from evolver.store import Place
from policies.evidence import Detector, held_to
from policies.registry.values import Experiment, Holdback, Note

log = logging.getLogger(__name__)

BATCH = 2_000
SHARE = 0.5  # of new conversations on the predecessor, once an alarm has called for a comparison


@dataclass(slots=True)
class Post:
    """The detector on duty, and the last answer that it has seen."""

    begun: str  # the comparison that gave it the baseline, and the move that brought the version into production
    since: float
    after: Place
    detector: Detector
    first: Place | None = None  # the place behind which the detector began; None: one of an older version

    def to_dict(self) -> dict[str, Any]:
        """The whole state, JSON-able."""
        detector = self.detector.to_dict()
        return {"begun": self.begun, "since": self.since, "after": list(self.after), "detector": detector} | (
            {"first": list(self.first)} if self.first is not None else {}
        )

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Post":
        """The inverse of `to_dict`."""
        at, name = data["after"]
        first = (data["first"][0], data["first"][1]) if "first" in data else None
        return cls(data["begun"], data["since"], (at, name), Detector.from_dict(data["detector"]), first)


class Vigil:
    """One detector per policy whose production came there by a promotion."""

    def __init__(self) -> None:
        self._posts: dict[str, Post] = {}

    async def look(self, context: Context) -> None:
        """Feed what has settled; act on an alarm."""
        for name, policy in context.settings.policies.items():
            subject = await promoted(name, context)
            if subject is None or subject.baseline is None or subject.comparison is not None:
                continue
            # Taken out until all is done: a round that fails half-way is done again from what was kept.
            post = await self._post(subject, subject.baseline, policy, context)
            before = post.after
            if await self._feed(post, subject, policy, context):
                continue
            if post.after != before:
                await context.store.keep(_name(subject), post.to_dict())
            self._posts[name] = post

    async def _post(self, subject: Promoted, comparison: Experiment, policy: Policy, context: Context) -> Post:
        begun = f"{comparison.id} {subject.pointer.revision}"
        post = self._posts.pop(subject.version.policy, None)
        if post is not None and post.begun == begun:
            return post
        kept = await context.store.kept(_name(subject))
        if kept.get("begun") == begun:
            return Post.from_dict(kept)
        since = max(comparison.ended_at or context.now, subject.pointer.moved_at)
        detector = await detector_of(subject, comparison, policy, context)
        return Post(begun, since, (since, ""), detector, (since, ""))

    async def _feed(self, post: Post, subject: Promoted, policy: Policy, context: Context) -> bool:
        """True where an alarm has ended the duty."""
        deadline_s = policy.breaker.deadline_s
        answers = await context.store.answers(
            subject.version.policy,
            subject.version.genome.content_hash,
            since=post.since,
            until=context.now - LAG_S,
            deadline_s=deadline_s,
            after=post.after,
            limit=BATCH,
        )
        for answer in answers:
            if answer.failed is None and answer.place[0] > context.now - deadline_s:
                break
            post.after = answer.place
            if post.detector.add(answer.failed is not False):
                if await _called_for(subject, answer.place[0], context):
                    await _re_randomise(subject, post, context)
                    return True
                post.detector = Detector(post.detector.baseline, post.detector.mean_units)
                post.first = post.after
        return False


async def detector_of(subject: Promoted, comparison: Experiment, policy: Policy, context: Context) -> Detector:
    """A fresh one, held to the rate that the version showed in its last comparison.

    Nothing known there is a bound of 1: such a detector hardly ever raises an alarm.
    """
    ended_at, deadline_s = comparison.ended_at or context.now, policy.breaker.deadline_s
    tally = await context.store.tally(
        comparison.policy,
        shown_by(subject, comparison),
        since=comparison.started_at,
        until=ended_at - deadline_s,
        deadline_s=deadline_s,
    )
    return held_to(tally.failures, tally.units, tally.all_units, ended_at - deadline_s - comparison.started_at)


def shown_by(subject: Promoted, comparison: Experiment) -> str:
    """The arm of the comparison whose failures are the version's: in its canary the candidate's."""
    genome = subject.candidate.genome if comparison.verdict == "PROMOTE" else subject.version.genome
    return genome.content_hash


async def _called_for(subject: Promoted, at: float, context: Context) -> bool:
    policy = subject.version.policy
    if await frozen(context.registry) or context.mode(policy) == "observe":
        log.warning("policy %s: failures have risen, and nothing may change now", policy)
        return False
    outages = [i for i in await context.registry.incidents(policy) if i.kind == "PROVIDER"]
    if any(i.resolved_at is None or i.at <= at <= i.resolved_at for i in outages):
        log.info("policy %s: failures have risen with the provider's outage", policy)
        return False
    return True


async def _re_randomise(subject: Promoted, post: Post, context: Context) -> None:
    """Cut off between its two steps, the comparison is closed again (`holdbacks`), and the alarm is found once more."""
    version, canary, baseline, detector = subject.version, subject.canary, subject.baseline, post.detector
    assert canary is not None, "a baseline is a canary's, or that of a comparison with its control"
    previous, salt = canary.control, secrets.token_hex(16)
    experiment = await context.registry.open_experiment(
        version.policy, subject.candidate.id, previous, salt=salt, counted=False, now=context.now
    )
    holdback = Holdback(version.policy, previous, SHARE, experiment.id, salt, context.now)
    await context.registry.set_holdback(version.policy, holdback, now=context.now)
    seen = f"{detector.failures} failures of {detector.units}, {detector.baseline:.2%} were to be expected at most"
    log.warning("policy %s: %s fails more often than it did (%s)", version.policy, version.label, seen)
    assert baseline is not None
    detail: dict[str, Any] = {
        "why": seen,
        "experiment": experiment.id,
        "predecessor": previous,
        "detector": detector.to_dict(),
    }
    if post.first is not None:
        detail |= {"arm": version.genome.content_hash, "since": post.since, "first": post.first, "last": post.after}
        detail |= {"comparison": baseline.id, "shown": shown_by(subject, baseline)}
    await context.registry.note(Note(context.now, version.policy, "evolver", "alarm", version.label, detail))


def _name(subject: Promoted) -> str:
    return f"vigil:{subject.version.policy}"
