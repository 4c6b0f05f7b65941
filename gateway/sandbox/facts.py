"""Facts about products: what knowledge questions ask for, and what an application's memory may hold."""

from dataclasses import dataclass
from random import Random

from gateway.sandbox.lexicon import PRODUCTS
from gateway.sandbox.templates import Template

_SUBJECT = "|".join(PRODUCTS)


@dataclass(frozen=True, slots=True)
class Attribute:
    """One property of products: how it is asked for, how it is stated, which values it may have."""

    name: str
    question: Template
    statement: Template
    unit: str
    low: int
    high: int


def _attribute(name: str, question: str, statement: str, *, unit: str, low: int, high: int) -> Attribute:
    blanks = {"subject": _SUBJECT, "value": rf"\d+ {unit}"}
    return Attribute(name, Template(question, blanks), Template(statement, blanks), unit, low, high)


ATTRIBUTES = (
    _attribute(
        "warranty",
        "How long is the warranty on the {subject}?",
        "The {subject} has a warranty of {value}",
        unit="months",
        low=13,
        high=59,
    ),
    _attribute(
        "returns",
        "How long may a customer keep the {subject} before returning it?",
        "The {subject} can be returned within {value}",
        unit="days",
        low=9,
        high=75,
    ),
    _attribute(
        "cable",
        "How long is the power cable of the {subject}?",
        "The {subject} has a power cable of {value}",
        unit="centimetres",
        low=83,
        high=240,
    ),
    _attribute(
        "power",
        "How much power does the {subject} draw?",
        "The {subject} draws {value}",
        unit="watts",
        low=310,
        high=2400,
    ),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """A value that no model can know unless it is told."""

    subject: str
    attribute: Attribute
    value: str

    @property
    def text(self) -> str:
        """The fact as one sentence, as it belongs into a memory."""
        return self.attribute.statement.fill({"subject": self.subject, "value": self.value}) + "."


def draw_facts(rng: Random) -> tuple[Fact, ...]:
    """Every attribute of every product, with values drawn for this world."""
    return tuple(
        Fact(product, attribute, f"{rng.randint(attribute.low, attribute.high)} {attribute.unit}")
        for product in PRODUCTS
        for attribute in ATTRIBUTES
    )
