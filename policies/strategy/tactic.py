"""A tactic serves one request by several calls: what it hears goes in, the steps to take come out.

1. It hears of every call that it asked for exactly once.
2. It presents one call, which the client gets: what has come of it at once, the rest as it comes. A call may be
   presented before it was heard of, and another one in its place as long as the client has nothing of it.
3. If it presents a failed call, then because there was nothing better.

Calls are numbered in the order in which they are asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from policies.outcome.answer import Answer
from policies.vectors import Vector

Role = Literal["answer", "voter", "cheap", "strong", "sample", "verifier", "repair"]


@dataclass(frozen=True, slots=True)
class Ask:
    """Make a call. `model` is a key of the configuration, None: the request's own."""

    number: int
    role: Role
    model: str | None = None
    about: int | None = None  # the call whose answer is to be verified or corrected


@dataclass(frozen=True, slots=True)
class Present:
    """Let the client have this call's answer."""

    number: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Call `late` after that many seconds."""

    seconds: float


Step = Ask | Present | Wait


@dataclass(frozen=True, slots=True)
class Heard:
    """A call has ended: its answer (None: it failed), and whether that passes the validators that apply to it.

    `vector` is the answer's embedding, where answers are compared by those.
    """

    number: int
    answer: Answer | None
    valid: bool = True
    vector: Vector | None = None


class Tactic(Protocol):
    """Decides for one request."""

    @property
    def scores(self) -> Mapping[str, float]:
        """What is recorded of the decision, by name."""

    def begin(self) -> list[Step]:
        """The first steps."""

    def heard(self, heard: Heard) -> list[Step]:
        """What follows from the end of a call."""

    def late(self) -> list[Step]:
        """What follows now that the wait is over."""


class Numbers:
    """The next call's number; tactics within one another share it."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next = 0

    def ask(self, role: Role, model: str | None = None, about: int | None = None) -> Ask:
        """A call with a number of its own."""
        self.next += 1
        return Ask(self.next - 1, role, model, about)


class Single:
    """One call, presented as it comes."""

    scores: Mapping[str, float] = {}

    def __init__(self, numbers: Numbers, role: Role = "answer", model: str | None = None) -> None:
        self._call = numbers.ask(role, model)

    def begin(self) -> list[Step]:
        """Ask and present."""
        return [self._call, Present(self._call.number)]

    def heard(self, heard: Heard) -> list[Step]:  # noqa: ARG002
        """The client has it already."""
        return []

    def late(self) -> list[Step]:
        """It waits for nothing."""
        return []
