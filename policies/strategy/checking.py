"""Whether an answer passes the checks of its policy, and what is done on the spot where it does not."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from policies.outcome.answer import Answer
from policies.strategy.mending import mended
from policies.strategy.wording import again
from policies.validators import Validators, complaints, wants_structure

_UNFIT = "It does not pass the checks for this request."
_CONDITIONAL: frozenset[object] = frozenset({"json_schema", "tool_args"})


def always(specs: Iterable[object]) -> bool:
    """Whether some of these validators apply even where nothing structured was asked for."""
    return not _CONDITIONAL.issuperset(specs)


@dataclass(frozen=True, slots=True)
class Checks:
    """A policy's.

    `always`: some apply even to a request that asks for no structure and got no calls of tools. `gate`: the least
    value of each, 0..1.
    """

    validators: Validators
    always: bool
    gate: float

    def passed(self, body: dict[str, Any], answer: Answer) -> bool:
        """Whether an answer to a request passes all that apply."""
        if not (self.always or answer.tool_calls or wants_structure(body)):
            return True
        return all(value >= self.gate for value in self.validators.run(body, answer).values())

    def repaired(self, body: dict[str, Any], raw: bytes, answer: Answer) -> tuple[bytes, Answer] | None:
        """A body and an answer that pass, made from ones that do not; None where no repair of their JSON helps."""
        if answer.finish_reason == "length":
            return None
        better = mended(raw, answer, structured=wants_structure(body))
        return better if better is not None and self.passed(body, better[1]) else None


def correction(dialect: str, client: dict[str, Any], asked: dict[str, Any], answer: Answer) -> dict[str, Any] | None:
    """The request that asks for an answer again; None where the endpoint has no place for a correction.

    Args:
        dialect: the endpoint's name.
        client: the client's request.
        asked: what the answer was an answer to.
        answer: the one that did not pass.
    """
    return again(dialect, client, answer, " ".join(complaints(asked, answer)) or _UNFIT)
