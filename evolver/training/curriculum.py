"""What training learns from and what it is held to: failures by cluster, successes beside them, and unseen examples.

Conversations are parted by a hash of their unit, so that no turn of one stands on both sides, and a later run over the
same recordings parts them alike.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evolver.analysis import cluster
from evolver.examples import Example

UNSEEN = 0.4  # of the conversations; a half of them picks the candidate, a half measures its gain
MOST_UNSEEN = 24  # examples of each of the two
BAD, GOOD = 4, 2  # of one batch


@dataclass(frozen=True, slots=True)
class Lesson:
    """Failures that are about the same thing."""

    terms: str
    bad: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class Curriculum:
    """Disjoint in conversations."""

    lessons: tuple[Lesson, ...]
    good: tuple[Example, ...]  # successes that a change must keep
    selection: tuple[Example, ...]
    held_out: tuple[Example, ...]

    def batch(self, lesson: Lesson, rng: np.random.Generator) -> list[Example]:
        """Requests of one group: some of the lesson's failures, fewer successes."""
        return [*_some(lesson.bad, BAD, rng), *_some(self.good, GOOD, rng)]


def curriculum(examples: Sequence[Example], rng: np.random.Generator) -> Curriculum:
    """Parted examples; without failures among those to learn from there are no lessons."""
    telling = [example for example in examples if example.failure is None or example.failed]
    seen = [one for one in telling if part(one.unit) >= UNSEEN]
    bad = [one for one in seen if one.bad]
    groups = cluster([one.request_text for one in bad], rng=rng)
    return Curriculum(
        lessons=tuple(
            Lesson(", ".join(group.terms[:4]) or "all", tuple(bad[i] for i in group.members)) for group in groups
        ),
        good=tuple(one for one in seen if not one.bad),
        selection=_balanced([one for one in telling if part(one.unit) < UNSEEN / 2], rng),
        held_out=_balanced([one for one in telling if UNSEEN / 2 <= part(one.unit) < UNSEEN], rng),
    )


def part(unit: str) -> float:
    """A conversation's place in [0, 1)."""
    return int.from_bytes(hashlib.blake2b(unit.encode(), digest_size=6, person=b"training").digest()) / 2**48


def _balanced(examples: Sequence[Example], rng: np.random.Generator) -> tuple[Example, ...]:
    """At most so many, half of them bad ones where there are enough."""
    bad = _some([one for one in examples if one.bad], MOST_UNSEEN // 2, rng)
    return (*bad, *_some([one for one in examples if not one.bad], MOST_UNSEEN - len(bad), rng))


def _some(examples: Sequence[Example], most: int, rng: np.random.Generator) -> list[Example]:
    return [examples[i] for i in rng.permutation(len(examples))[:most]]
