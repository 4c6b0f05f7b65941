"""Cascade: a cheap model answers first, and only an answer that is not trusted goes to the request's own model.

1. An answer that failed, or that the validators reject, is trusted with 0; nobody is asked about it.
2. Otherwise a verifier says k times whether it is right, and confidence is the share of "correct" among those that
   could be understood; or k further answers of the cheap model are compared with it, and confidence is the share that
   agrees. With nothing understood it is 0.
3. At the threshold or above, the answer is presented. Below, the request escalates once, and what then comes is
   presented as it comes; if that fails, the cheap answer is better than none.
4. The decision falls as soon as the words still to come can't change it.

Source: Madaan et al. 2023, "AutoMix: Automatically mixing language models"; for agreement, Yue et al. 2023, "Large
language model cascades with mixture of thoughts representations".
"""

import re
from collections.abc import Mapping

from policies.strategy.agreement import Mode, ballot
from policies.strategy.tactic import Ask, Heard, Numbers, Present, Step, Tactic
from policies.vectors import alike

AGREEMENT = "agreement"  # in the place of a verifier: further answers are compared
_WORD = re.compile(r"\b(in)?correct\b", re.IGNORECASE)


def verdict_of(text: str) -> bool | None:
    """Whether a verifier says that the answer is right; its last word counts, None where it says neither."""
    found = _WORD.findall(text)
    return not found[-1] if found else None


class Cascade:
    """One request's.

    Args:
        numbers: for the calls.
        cheap: the first model's key.
        then: the tactic that serves what escalates.
        verifier: a model key, or `AGREEMENT`.
        samples: how many verdicts, or further answers, k.
        threshold: least confidence of a cheap answer that is presented, 0..1.
        mode: what agreement means.
        similarity: least cosine of answers that agree, where they come with embeddings.
    """

    def __init__(
        self,
        numbers: Numbers,
        cheap: str,
        then: Tactic,
        *,
        verifier: str,
        samples: int,
        threshold: float,
        mode: Mode,
        similarity: float = 1.0,
    ) -> None:
        self._cheap = numbers.ask("cheap", cheap)
        self._numbers = numbers
        self._then = then
        self._verifier = verifier
        self._samples = samples
        self._threshold = threshold
        self._mode = mode
        self._similarity = similarity
        self._first: Heard | None = None
        self._verdicts: list[bool | None] = []
        self._presented: int | None = None
        self._asked: set[int] = set()
        self._failed: set[int] = set()
        self._decided = False
        self._confidence: float | None = None

    @property
    def scores(self) -> Mapping[str, float]:
        """`confidence` in the cheap answer, as far as it was asked about, and those of what it escalated to."""
        own = {} if self._confidence is None else {"confidence": self._confidence}
        return {**own, **self._then.scores} if self._decided else own

    def begin(self) -> list[Step]:
        """Ask the cheap model."""
        return [self._cheap]

    def heard(self, heard: Heard) -> list[Step]:
        """Of the cheap answer, of what is said about it, or of what it escalated to."""
        if self._first is None:
            self._first = heard
            return self._asked_about(heard)
        if self._decided:
            if heard.number in self._asked:  # it came too late to matter
                return []
            if heard.answer is None:
                self._failed.add(heard.number)
            return self._else_cheap(self._then.heard(heard))
        self._verdicts.append(self._verdict(heard))
        return self._decide()

    def late(self) -> list[Step]:
        """Only what it escalated to ever waits."""
        return self._else_cheap(self._then.late())

    def _asked_about(self, heard: Heard) -> list[Step]:
        if heard.answer is None or not heard.valid:
            self._confidence = 0.0
            return self._escalate()
        asks = [self._ask_about() for _ in range(self._samples)]
        self._asked = {ask.number for ask in asks}
        return [*asks]

    def _ask_about(self) -> Ask:
        if self._verifier == AGREEMENT:
            return self._numbers.ask("sample", self._cheap.model)
        return self._numbers.ask("verifier", self._verifier, self._cheap.number)

    def _verdict(self, heard: Heard) -> bool | None:
        said = heard.answer
        if said is None:
            return None
        if self._verifier != AGREEMENT:
            return verdict_of(said.text)
        assert self._first is not None
        assert self._first.answer is not None
        if alike(self._first.vector, heard.vector, self._similarity):
            return True
        own = ballot(self._first.answer, self._mode)
        return own is not None and ballot(said, self._mode) == own

    def _decide(self) -> list[Step]:
        known = [verdict for verdict in self._verdicts if verdict is not None]
        missing = self._samples - len(self._verdicts)
        right = sum(known)
        least, most = right / (len(known) + missing or 1), (right + missing) / (len(known) + missing or 1)
        if least < self._threshold <= most and missing:
            return []
        self._confidence = right / len(known) if known else 0.0
        if known and self._confidence >= self._threshold:
            self._decided = True
            return [Present(self._cheap.number)]
        return self._escalate()

    def _escalate(self) -> list[Step]:
        self._decided = True
        return self._else_cheap(self._then.begin())

    def _else_cheap(self, steps: list[Step]) -> list[Step]:
        """The steps; but where what is presented has failed, the cheap answer in its place, if there is one."""
        for step in steps:
            if isinstance(step, Present):
                self._presented = step.number
        if self._presented not in self._failed or self._first is None or self._first.answer is None:
            return steps
        return [*(step for step in steps if not isinstance(step, Present)), Present(self._cheap.number)]
