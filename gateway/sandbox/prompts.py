"""Reading a chat request's messages: what is asked, what has been told, shown and corrected."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.sandbox.families import Problem, recognise
from gateway.sandbox.rules import NOTHING, Reading, read_text
from gateway.sandbox.skills import Guidance
from gateway.sandbox.worlds import World

_SYSTEM_ROLES = ("system", "developer")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request's messages, understood."""

    guidance: Guidance
    problem: Problem | None  # of the last user message that poses one
    system: str
    question: str  # the last user message
    text: str  # everything, in order: what is counted as input and what the randomness is keyed by
    after_tool: str | None  # the result of a tool, where the last message is one


def read_prompt(world: World, messages: Sequence[Mapping[str, Any]]) -> Prompt:
    """What the messages amount to.

    A user message after the first task that poses no task is a correction, or at least holds for this conversation.
    An answer to an earlier task teaches, by example, the rules that it keeps.
    """
    system: list[str] = []
    texts: list[str] = []
    shown: Counter[str] = Counter()
    corrected = NOTHING
    problem: Problem | None = None
    question = after_tool = None
    for message in messages:
        role, text = message.get("role"), content_text(message.get("content"))
        texts.append(f"{role}: {text}{message.get('tool_calls') or ''}")
        after_tool = text if role == "tool" else None
        if role in _SYSTEM_ROLES:
            system.append(text)
        elif role == "user":
            question = text
            posed = recognise(world, text)
            if posed is None and problem is not None:
                corrected = corrected.joined(read_text(text, world.recognisers))
            problem = posed or problem
        elif role == "assistant" and problem is not None:
            shown.update(problem.shows(text))
    told = "\n".join(system)
    guidance = Guidance(read_text(told, world.recognisers), len(told.split()), _undone(corrected), shown)
    return Prompt(guidance, problem, told, question or "", "\n".join(texts), after_tool)


def content_text(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list; everything else reads as nothing."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _undone(corrected: Reading) -> Reading:
    """A user who insists on anything has also had enough of hedging."""
    return (
        Reading(corrected.supports, corrected.contradicts, corrected.traits | {"hedge"})
        if corrected.supports
        else corrected
    )
