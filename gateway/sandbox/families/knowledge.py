"""Knowledge: a value that no model can know, unless the prompt's reference material states it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from gateway.sandbox.facts import ATTRIBUTES, Attribute
from gateway.sandbox.families.base import Answer, Problem, Request, last_number, thoughts
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.worlds import World

_WITHOUT_MATERIAL = 0.35  # share of questions that only a memory can answer
_OPENINGS = ("", "A customer asks: ", "Quick question: ")


@dataclass(frozen=True, slots=True)
class Knowledge(Problem):
    """A question about a product."""

    family: ClassVar[Family] = "knowledge"
    subject: str
    attribute: Attribute
    truth: str

    @property
    def rules(self) -> tuple[str, ...]:
        """Answering from what is given."""
        return ("ground",)

    def answer(self, conduct: Conduct) -> Answer:
        """What the material says, if it says something and is used; else a guess, or the admission of not knowing."""
        grounded = conduct.follows("ground")
        stated = self._stated(conduct.offer.material)
        told = conduct.strength("ground") > 0.5
        reasoning = len(thoughts(conduct, "a product")) // 4 if conduct.reasons_everywhere else 0
        if stated is None and grounded and told:
            return Answer("The reference material does not say.", hidden_tokens=reasoning)
        value = stated if stated is not None and grounded and conduct.succeeds() else self._guess(conduct.rng)
        text = f"The {self.subject}: {value}." if stated else f"For the {self.subject} that is typically {value}."
        if conduct.thorough:
            text = "Thank you for the question, here is what applies to this product in detail. " + text
        return Answer(text, hidden_tokens=reasoning)

    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """1 for the value; admitting not to know is better than a wrong value."""
        if calls:
            return 0.0
        number = last_number(text)
        return 0.2 if number is None else float(number == last_number(self.truth))

    def _stated(self, material: str) -> str | None:
        stated = self.attribute.statement.read_all(material)
        return next((found["value"] for found in reversed(stated) if found["subject"] == self.subject), None)

    def _guess(self, rng: Random) -> str:
        return f"{rng.randint(self.attribute.low, self.attribute.high)} {self.attribute.unit}"


def draw(world: World, rng: Random) -> Request:
    """A question, mostly with reference material in the application's own message."""
    fact = rng.choice(world.facts)
    question = rng.choice(_OPENINGS) + fact.attribute.question.fill({"subject": fact.subject})
    if rng.random() < _WITHOUT_MATERIAL:
        return Request(question, {})
    others = rng.sample([other for other in world.facts if other is not fact], 3)
    notes = [*others, fact]
    rng.shuffle(notes)
    return Request("\n".join(["Product sheet:", *(f"- {note.text}" for note in notes), "", question]), {})


def read(world: World, text: str) -> Knowledge | None:
    """The question in a text, None where there is none of this world."""
    for attribute in ATTRIBUTES:
        if (values := attribute.question.read(text)) is not None:
            subject = values["subject"]
            truth = next(f.value for f in world.facts if f.subject == subject and f.attribute is attribute)
            return Knowledge(subject, attribute, truth)
    return None
