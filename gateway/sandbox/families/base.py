"""What all task families share: a problem that can be answered, scored, and recognised in worked examples."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import orjson

from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call; `arguments` is JSON text, as on the wire."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says. `hidden_tokens` were spent on reasoning that is not part of the text."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    hidden_tokens: int = 0
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A task as the application words it: the user's text and the request's extra fields."""

    text: str
    extras: Mapping[str, Any]


class Problem(ABC):
    """One task with its truth."""

    family: ClassVar[Family]

    @property
    @abstractmethod
    def rules(self) -> tuple[str, ...]:
        """Hidden rules that matter here, the weightiest first."""

    @property
    def wanted(self) -> str:
        """What a user who corrects an answer would quote as right; empty where they would not."""
        return ""

    @abstractmethod
    def answer(self, conduct: Conduct) -> Answer:
        """What a model of that conduct says."""

    @abstractmethod
    def score(self, text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """The application's own check, 0 to 1."""

    def shows(self, text: str) -> tuple[str, ...]:
        """Rules that a worked example with this answer teaches: by default all of them, if the answer is right."""
        return self.rules if self.score(text, ()) == 1.0 else ()


_SECOND_THOUGHTS = (
    " Before I settle on that, I go through the request once more from its first word to its last, in case something "
    "was overlooked. I also ask what would have to be true for another reading to be the better one, and whether "
    "anything speaks for it. Having weighed all of that with care, I find that nothing does, and stay with the first."
)
_LAST_NUMBER = re.compile(r"-?\d+(?:,\d{3})*(?:\.\d+)?")


def last_number(text: str) -> float | None:
    """The number that stands last in the text."""
    found = _LAST_NUMBER.findall(text)
    return float(found[-1].replace(",", "")) if found else None


def loads_object(text: str | bytes) -> dict[str, Any] | None:
    """A JSON object, or None for anything else."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def call_parts(call: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """Name and arguments of a tool call, in OpenAI's nesting or flat, the arguments as text or as an object."""
    inner = call.get("function", call)
    arguments = inner.get("arguments")
    return str(inner.get("name", "")), arguments if isinstance(arguments, dict) else loads_object(str(arguments))


def thoughts(conduct: Conduct, about: str) -> str:
    """A paragraph of reasoning nobody needs; two where the model is told to be thorough."""
    opening = conduct.rng.choice(("Let me think this through.", "Let us go through it.", "Thinking step by step."))
    text = (
        f"{opening} The request is about {about}. I compare what it says with each possibility and keep the best fit."
    )
    return text + _SECOND_THOUGHTS * conduct.thorough
