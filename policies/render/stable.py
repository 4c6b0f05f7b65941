"""The stable part of a prompt layer, compiled: what is said the same way in every request."""

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, Self

from policies.errors import ClientError
from policies.genome import PromptLayer
from policies.memory import Entry
from policies.render.turns import Turns
from policies.render.wording import reference_text, system_text

Placement = Literal["before", "after", "replace"]
Memory = tuple[Entry, ...] | list[Entry]
Shots = tuple[tuple[str, str], ...]  # what a user asked, what was answered


class Recalled(NamedTuple):
    """What retrieval has brought up, ready to be put into a request; empty where it brought up nothing."""

    reference: str = ""  # delimited as data
    shots: Shots = ()

    @classmethod
    def of(cls, memory: Memory) -> Self:
        """Sorted by kind. Blanks, which stand for entries that were held out, add nothing."""
        facts = [entry for entry in memory if entry.text and not entry.answer]
        shots = tuple([(entry.text, entry.answer) for entry in memory if entry.answer])
        return cls(reference_text(facts) if facts else "", shots)


NOTHING: Final = Recalled()


class Composer(Protocol):
    """Puts what a genome says into requests to one endpoint."""

    def __call__(self, request: dict[str, Any], turns: Turns, recalled: Recalled) -> None:
        """Change a request in place, but none of the values in it: these are the client's.

        Raises:
            ClientError: the request is not of a shape that text can be put into.
        """


@dataclass(frozen=True, slots=True)
class Stable:
    """System text, where it goes relative to the client's own, and worked examples."""

    text: str
    text_with_tools: str
    placement: Placement
    shots: Shots

    @classmethod
    def of(cls, prompt: PromptLayer) -> Self:
        """What the layer says. Without rules there is nothing to put in the place of the client's own text."""
        placement = prompt.placement if prompt.rubric or prompt.placement != "replace" else "after"
        shots = tuple((shot.user, shot.assistant) for shot in prompt.few_shots)
        return cls(system_text(prompt, tools=False), system_text(prompt, tools=True), placement, shots)

    @property
    def silent(self) -> bool:
        """It adds nothing to any request."""
        return not (self.text_with_tools or self.shots)


def as_turns(shots: Shots) -> list[dict[str, Any]]:
    """Worked examples as a user and an assistant message each."""
    return [
        {"role": role, "content": text}
        for user, assistant in shots
        for role, text in (("user", user), ("assistant", assistant))
    ]


def has_tools(request: dict[str, Any]) -> bool:
    """Whether the request offers tools, by either of the names that they have had."""
    for name in ("tools", "functions"):
        tools = request.get(name)
        if type(tools) is list and tools:
            return True
    return False


def joined(content: Any, text: str, part: dict[str, Any], *, before: bool) -> Any:
    """System content with `text` before or after it: merged, for many models take only one system message.

    Args:
        content: the client's: text, a list of parts, or nothing.
        text: what is added to text.
        part: the same as a part of a list.
        before: else after.

    Raises:
        ClientError: the content is of another kind.
    """
    if type(content) is str:
        if not content:
            return text
        return f"{text}\n\n{content}" if before else f"{content}\n\n{text}"
    if type(content) is list:
        return [part, *content] if before else [*content, part]
    if content is None:
        return text
    raise ClientError("the content of system text must be text or a list of parts")
