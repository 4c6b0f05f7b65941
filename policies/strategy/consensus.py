"""Consensus: several voters answer, and what most of them say is presented.

1. As soon as a quorum agrees, its first answer is presented; the voters that are still out are not waited for.
2. With all heard and no quorum, the largest group wins; among equals the one that formed first.
3. After the deadline the same holds for those that have been heard; with none, the first to come wins.
4. An answer that the validators reject has no vote and is presented only where there is no other; a failed one, last.

Source of the idea: Wang et al. 2022, "Self-consistency improves chain of thought reasoning in language models".
"""

from collections.abc import Mapping, Sequence
from math import ceil

from policies.outcome.answer import Answer
from policies.strategy.agreement import Mode, ballot
from policies.strategy.tactic import Heard, Numbers, Present, Step, Wait
from policies.vectors import Vector, alike

_DUST = 1e-9


class Consensus:
    """One request's vote.

    Args:
        numbers: for the calls.
        models: a model key for each voter, None: the request's own.
        mode: what agreement means.
        quorum: the least share of all voters that must agree, in (0, 1].
        deadline_s: from the beginning.
        similarity: least cosine to a group's first answer, where answers come with embeddings.
    """

    def __init__(
        self,
        numbers: Numbers,
        models: Sequence[str | None],
        *,
        mode: Mode,
        quorum: float,
        deadline_s: float,
        similarity: float = 1.0,
    ) -> None:
        self._voters = [numbers.ask("voter", model) for model in models]
        self._mode = mode
        self._needed = ceil(quorum * len(models) - _DUST)
        self._deadline_s = deadline_s
        self._similarity = similarity
        self._groups: dict[str | int, list[int]] = {}  # ballot -> voters, in the order of their coming
        self._firsts: dict[str | int, Vector] = {}  # ballot -> embedding of the group's first answer
        self._spoiled: list[int] = []
        self._failed: list[int] = []
        self._late = self._over = False

    @property
    def scores(self) -> Mapping[str, float]:
        """`agreement`: the largest group's share of all voters."""
        largest = max(map(len, self._groups.values()), default=0)
        return {"agreement": largest / len(self._voters)}

    @property
    def _heard(self) -> int:
        return sum(map(len, self._groups.values())) + len(self._spoiled) + len(self._failed)

    def begin(self) -> list[Step]:
        """Ask all of them."""
        return [*self._voters, Wait(self._deadline_s)]

    def heard(self, heard: Heard) -> list[Step]:
        """Count a vote."""
        if self._over:
            return []
        if heard.answer is None:
            self._failed.append(heard.number)
        elif not heard.valid:
            self._spoiled.append(heard.number)
        else:
            self._groups.setdefault(self._group(heard, heard.answer), []).append(heard.number)
        return self._decide()

    def _group(self, heard: Heard, answer: Answer) -> str | int:
        """That of the same ballot, or of the same meaning; an answer with nothing to compare agrees with no other."""
        vote = ballot(answer, self._mode)
        own = heard.number if vote is None else vote
        if heard.vector is None or own in self._groups:
            return own
        for key, first in self._firsts.items():
            if alike(first, heard.vector, self._similarity):
                return key
        self._firsts[own] = heard.vector
        return own

    def late(self) -> list[Step]:
        """The deadline has passed."""
        self._late = True
        return self._decide()

    def _decide(self) -> list[Step]:
        group = max(self._groups.values(), key=len, default=[])
        complete = self._heard == len(self._voters)
        if self._over or not (len(group) >= self._needed or complete or (self._late and group)):
            return []
        self._over = True
        return [Present([*group, *self._spoiled, *self._failed][0])]
