"""Multiple choice: the application reads one letter. Which letter is right the sandbox can't know; it draws one."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from gateway.sandbox.draws import generator
from gateway.sandbox.families.base import Answer, Problem, Request, thoughts
from gateway.sandbox.lexicon import KINDS
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.worlds import World

_LINES = 30  # of one option; bounded, so that no text takes long to read
_OPTION = r"\n{letter}\. (.*(?:\n(?!{stop}).*){{0,{lines}}})"
_STOPS = {"A": r"B\. ", "B": r"C\. ", "C": r"D\. ", "D": r"Answer:|\n"}
_OPTIONS = re.compile("".join(_OPTION.format(letter=name, stop=stop, lines=_LINES) for name, stop in _STOPS.items()))
_LETTER = re.compile(r"\(?([A-D])\)?\.?")
_STEM_CHARS = 16  # of the end of the question, so that what precedes it in a transcript changes nothing


@dataclass(frozen=True, slots=True)
class Choice(Problem):
    """A question with four options. Any single letter counts as an answer: the check is about form."""

    family: ClassVar[Family] = "choice"
    letter: str
    options: tuple[str, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """One letter, and nothing around it."""
        return ("bare_letter",)

    def answer(self, conduct: Conduct) -> Answer:
        """The letter, or a sentence that contains it."""
        option = self.options["ABCD".index(self.letter)][:120]
        if conduct.hedges:
            other = conduct.rng.choice([letter for letter in "ABCD" if letter != self.letter])
            return Answer(
                f"Both {self.letter} and {other} can be argued for. {self.letter} fits the wording, {other} the intent."
            )
        reasoning = thoughts(conduct, "a question with four options") if conduct.reasons_everywhere else ""
        if conduct.follows("bare_letter"):
            return Answer(self.letter, hidden_tokens=len(reasoning) // 4)
        text = conduct.rng.choice(
            (f"The correct answer is {self.letter}.", f"{self.letter}. {option}", f"**{self.letter}**: {option}")
        )
        if conduct.thorough:
            text += " The other options do not fit what is asked."
        return Answer(f"{reasoning}\n\n{text}".strip())

    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """1 for a single letter from A to D."""
        return float(_LETTER.fullmatch(text.strip()) is not None and not calls)


def draw(_world: World, rng: Random) -> Request:
    """A small quiz question in the shape of the recorded ones."""
    kind = rng.choice(list(KINDS))
    right = rng.choice(KINDS[kind])
    wrong = rng.sample([word for other, words in KINDS.items() if other != kind for word in words], 3)
    options = [right, *wrong]
    rng.shuffle(options)
    lines = [f"{letter}. {option}" for letter, option in zip("ABCD", options, strict=True)]
    return Request("\n".join([f"Which of these is a {kind}?", *lines, "Answer:"]), {})


def read(world: World, text: str) -> Choice | None:
    """The question in a text, None where there is none."""
    questions = list(_OPTIONS.finditer(text))
    if not questions:
        return None
    found = questions[-1]
    options = tuple(option.strip() for option in found.groups())
    stem = text[: found.start()].strip()[-_STEM_CHARS:]
    return Choice(generator(world.seed, stem, *options).choice("ABCD"), options)
