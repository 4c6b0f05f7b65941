"""Arithmetic: the application takes the last number; writing the steps down is what makes it right."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from gateway.sandbox.families.base import Answer, Problem, Request, last_number
from gateway.sandbox.lexicon import FIRST_NAMES, GOODS
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.templates import NUMBER, WORDS, Template
from gateway.sandbox.worlds import World

_BLANKS = dict.fromkeys("abcd", NUMBER) | {"who": r"[A-Z]\w+", "goods": WORDS}
_OPENINGS = ("", "A question: ", "Please help with this: ", "For the accounts: ")


@dataclass(frozen=True, slots=True)
class Kind:
    """A word problem: its text and its steps, each an operator and the blank it takes, from the first blank on."""

    template: Template
    steps: tuple[tuple[str, str], ...]
    unit: str


_KINDS = (
    Kind(
        Template(
            "{who} orders {a} {goods} at {b} dollars each, uses a voucher worth {c} dollars and pays {d} dollars for "
            "delivery. How many dollars does {who} pay?",
            _BLANKS,
        ),
        (("x", "b"), ("-", "c"), ("+", "d")),
        "dollars",
    ),
    Kind(
        Template(
            "A van drives for {a} hours at {b} kilometres per hour, stops, and drives another {c} kilometres. The next "
            "day it covers {d} kilometres. How many kilometres is that in all?",
            _BLANKS,
        ),
        (("x", "b"), ("+", "c"), ("+", "d")),
        "kilometres",
    ),
    Kind(
        Template(
            "{who} packs {a} crates with {b} {goods} each. {c} of the {goods} are damaged, and {d} more "
            "arrive later. How many {goods} are there now?",
            _BLANKS,
        ),
        (("x", "b"), ("-", "c"), ("+", "d")),
        "pieces",
    ),
)
_OPERATORS = {"x": lambda a, b: a * b, "-": lambda a, b: a - b, "+": lambda a, b: a + b}


@dataclass(frozen=True, slots=True)
class Arithmetic(Problem):
    """A word problem read back into its steps: (left, operator, right, result)."""

    family: ClassVar[Family] = "arithmetic"
    steps: tuple[tuple[int, str, int, int], ...]
    unit: str

    @property
    def rules(self) -> tuple[str, ...]:
        """Reasoning, and a last line that holds the result."""
        return ("reason", "final_answer")

    def answer(self, conduct: Conduct) -> Answer:
        """The steps and the result, or a number at once."""
        reasons = conduct.follows("reason")
        right = conduct.succeeds(None if reasons else conduct.profile.mental)
        result = self.steps[-1][3] if right else self._slip(conduct.rng)
        if conduct.hedges:
            return Answer(f"It depends on the reading: {result} {self.unit} is possible, but so is {result + 7}.")
        text = self._conclusion(result, conduct, reasons=reasons)
        if reasons:
            text = "\n".join([*self._working(right=right), text])
        return Answer(text)

    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """1 if the last number is the result."""
        return float(last_number(text) == self.steps[-1][3] and not calls)

    def shows(self, text: str) -> tuple[str, ...]:
        """Only a worked solution teaches reasoning."""
        if self.score(text, ()) < 1.0:
            return ()
        return self.rules if "=" in text else ("final_answer",)

    def _slip(self, rng: Random) -> int:
        _, _, forgotten, _ = rng.choice(self.steps[1:])
        return self.steps[-1][3] + rng.choice((-1, 1)) * max(1, forgotten)

    def _working(self, *, right: bool) -> list[str]:
        lines = ["Let us work step by step."]
        for number, (left, operator, by, result) in enumerate(self.steps, 1):
            slipped = not right and number == len(self.steps)
            lines.append(f"Step {number}: {left} {operator} {by} = {result + 1 if slipped else result}.")
        return lines

    def _conclusion(self, result: int, conduct: Conduct, *, reasons: bool) -> str:
        if conduct.follows("final_answer"):
            return f"The answer is {result}." if reasons else f"That makes {result} {self.unit}."
        return f"That makes {result} {self.unit}, with the {self.steps[-1][2]} from the end included."


def draw(_world: World, rng: Random) -> Request:
    """A word problem, asked as the application asks."""
    values = {
        "who": rng.choice(FIRST_NAMES),
        "goods": rng.choice(GOODS),
        "a": rng.randint(12, 39),
        "b": rng.randint(11, 48),
        "c": rng.randint(11, 97),
        "d": rng.randint(11, 97),
    }
    return Request(rng.choice(_OPENINGS) + rng.choice(_KINDS).template.fill(values), {})


def read(_world: World, text: str) -> Arithmetic | None:
    """The problem in a text, None where there is none."""
    for kind in _KINDS:
        if (values := kind.template.read(text)) is not None:
            return Arithmetic(_steps(kind, values), kind.unit)
    return None


def _steps(kind: Kind, values: Mapping[str, str]) -> tuple[tuple[int, str, int, int], ...]:
    steps, total = [], int(values["a"])
    for operator, blank in kind.steps:
        by = int(values[blank])
        result = _OPERATORS[operator](total, by)
        steps.append((total, operator, by, result))
        total = result
    return tuple(steps)
