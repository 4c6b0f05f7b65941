"""Classification: the application wants the label, exactly, and of one of two issues the one that counts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from gateway.sandbox.families.base import Answer, Problem, Request, thoughts
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.worlds import World

_MESSAGE = re.compile(r'"(?P<message>[^"]+)"\s+Categories: (?P<labels>[a-z, -]+)')
_TWO_ISSUES = 0.15  # share of messages that raise two issues
_GREETINGS = ("Hello,", "Hi,", "Good morning,", "Dear team,", "Hey,")
_OPENINGS = ("Which category fits this message?", "Classify this customer message.", "Sort this mail.")


@dataclass(frozen=True, slots=True)
class Classification(Problem):
    """A message with its labels in the order in which their issues are raised."""

    family: ClassVar[Family] = "classification"
    found: tuple[str, ...]
    labels: tuple[str, ...]
    precedence: str

    @property
    def truth(self) -> str:
        """The label that the application wants."""
        return self.found[0 if self.precedence == "first" else -1]

    @property
    def rules(self) -> tuple[str, ...]:
        """The bare label; with two issues also which one counts."""
        return ("bare_label", f"{self.precedence}_issue") if len(self.found) > 1 else ("bare_label",)

    def answer(self, conduct: Conduct) -> Answer:
        """The bare label, or a sentence around a capitalised one."""
        label = self._choose(conduct)
        if conduct.hedges:
            return Answer(self._discussion(label, conduct.rng))
        bare = conduct.follows("bare_label")
        reasoning = thoughts(conduct, "a customer's message") if conduct.reasons_everywhere else ""
        if bare or conduct.offer.schema is not None:
            return Answer(label, hidden_tokens=len(reasoning) // 4)
        return Answer(f"{reasoning}\n\n{self._sentence(label, conduct)}".strip())

    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """1 for exactly the label."""
        return float(text.strip() == self.truth and not calls)

    def _choose(self, conduct: Conduct) -> str:
        if not conduct.succeeds():
            return conduct.rng.choice([label for label in self.labels if label != self.truth])
        if len(self.found) > 1 and not conduct.follows(f"{self.precedence}_issue"):
            return next(label for label in self.found if label != self.truth)
        return self.truth

    def _discussion(self, label: str, rng: Random) -> str:
        other = rng.choice([name for name in self.labels if name != label])
        return (
            f"Two categories come to mind. {label.capitalize()} would fit because of how the customer describes the "
            f"problem; {other.capitalize()} is possible as well, since such messages often turn out to be about it."
        )

    def _sentence(self, label: str, conduct: Conduct) -> str:
        name = label.replace("-", " ").capitalize()
        text = conduct.rng.choice(
            (f"The category is: {name}.", f"**{name}**", f"This message belongs to {name}.", f"{name.title()}.")
        )
        why = " The customer describes a problem of that kind and asks for help with it."
        return text + why * (conduct.thorough or conduct.rng.random() < 0.5)


def draw(world: World, rng: Random) -> Request:
    """A customer's message, asked as the application asks."""
    issues = list(world.issues)
    first = rng.choice(issues)
    message = first
    if rng.random() < _TWO_ISSUES:
        second = rng.choice([issue for issue in issues if world.issues[issue] != world.issues[first]])
        message = f"{first}, and also {second}"
    mail = f"{rng.choice(_GREETINGS)} order {rng.randint(10_000, 99_999)}: {message}."
    return Request(f'{rng.choice(_OPENINGS)}\n"{mail}"\nCategories: {", ".join(world.labels)}', {})


def read(world: World, text: str) -> Classification | None:
    """The problem in a text, None where there is none of this world."""
    messages = _MESSAGE.findall(text)
    if not messages:
        return None
    message, _ = messages[-1]
    places = sorted((at, label) for issue, label in world.issues.items() if (at := message.find(issue)) >= 0)
    if not places:
        return None
    return Classification(tuple(label for _, label in places), world.labels, world.precedence)
