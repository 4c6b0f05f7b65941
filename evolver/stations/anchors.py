"""Anchors: answers that users have called right must stay right.

Where production still gets an anchor right today and the candidate does not, both are asked again: what the candidate
gets wrong TRIES times and production right as often is a regression, and one is enough to fail. Where both get one
right with the same chance p, that happens with (p (1 - p)) ** TRIES, at most 0.4 %; with fewer tries many a candidate
that is no worse would fail, since a model's answers vary. Anchors whose answers can't be compared without a model are
none; without any there is no such gate.
"""

from collections.abc import Sequence

from evolver.agreement import agreement
from evolver.examples import Example
from evolver.replay import Replay
from policies.genome import Genome

RIGHT = 0.99  # agreement from which an answer is right
TRIES = 4


async def regressed(
    base: Genome, candidate: Genome, examples: Sequence[Example], replay: Replay, most: int
) -> tuple[list[str], list[str]] | None:
    """(ids of the anchors that production gets right, of those that the candidate gets wrong); None without anchors.

    The `most` newest ones count; `examples` are newest first.
    """
    known = [example for example in examples if example.correction or example.good][:most]
    ours = [example for example, right in zip(known, await _right(base, known, replay), strict=True) if right]
    if not ours:
        return None
    asked = ours
    for _ in range(TRIES):
        right = await _right(candidate, asked, replay)
        asked = [example for example, good in zip(asked, right, strict=True) if good is False]
    for _ in range(TRIES - 1):
        right = await _right(base, asked, replay)
        asked = [example for example, good in zip(asked, right, strict=True) if good]
    return [example.id for example in ours], [example.id for example in asked]


async def _right(genome: Genome, examples: Sequence[Example], replay: Replay) -> list[bool | None]:
    """Whether each answer is right; None where it can't be told, or where nothing was measured."""
    found: list[bool | None] = []
    for example, one in zip(examples, await replay.run(genome, examples), strict=True):
        answer = one.completion.answer
        agreed = agreement(example, answer) if answer is not None and one.measured else None
        found.append(None if agreed is None else agreed >= RIGHT)
    return found
