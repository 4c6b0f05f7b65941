"""Tool use: the application executes the call, so it must be made, and made with every argument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import orjson

from gateway.sandbox.families.base import Answer, Problem, Request, ToolCall, call_parts, thoughts
from gateway.sandbox.lexicon import BUILDINGS
from gateway.sandbox.rules import Family
from gateway.sandbox.skills import Conduct
from gateway.sandbox.templates import NUMBER, Template
from gateway.sandbox.worlds import World

_PRIORITIES = ("low", "normal", "high", "urgent")
_DEVICES = ("printer", "projector", "router", "badge reader", "coffee machine", "monitor")
_BLANKS = {
    "people": NUMBER,
    "building": "|".join(BUILDINGS),
    "day": r"\d{4}-\d{2}-\d{2}",
    "minutes": NUMBER,
    "device": "|".join(_DEVICES),
    "room": NUMBER,
    "priority": "|".join(_PRIORITIES),
}
_INTEGERS = frozenset({"people", "minutes", "room"})
_REQUESTS = {
    "room": (
        Template("Book a room for {people} people in the {building} building on {day}, for {minutes} minutes", _BLANKS),
        Template("We are {people} and need a room in {building} on {day} for {minutes} minutes", _BLANKS),
    ),
    "ticket": (
        Template(
            "The {device} in room {room} of the {building} building is broken, this is {priority} priority", _BLANKS
        ),
        Template("Report a fault: {device}, {building} building, room {room}, priority {priority}", _BLANKS),
    ),
}
_ARGUMENTS = {
    "room": ("people", "building", "day", "minutes"),
    "ticket": ("device", "room", "building", "priority"),
}


@dataclass(frozen=True, slots=True)
class ToolUse(Problem):
    """The call that the user's wish amounts to."""

    family: ClassVar[Family] = "tools"
    name: str
    arguments: Mapping[str, Any]

    @property
    def rules(self) -> tuple[str, ...]:
        """All arguments; a call instead of talk."""
        return ("all_arguments", "call_tool")

    def answer(self, conduct: Conduct) -> Answer:
        """A call, or talk about one."""
        calls = conduct.follows("call_tool")
        complete = conduct.follows("all_arguments")
        if self.name not in conduct.offer.tools:
            return Answer("I have no tool for that here, but this is what I would arrange: " + self._described())
        if not (calls or conduct.offer.must_call):
            return Answer(f"Sure! I can do that: {self._described()}. Shall I go ahead?")
        arguments = dict(self.arguments)
        if not complete:
            del arguments[conduct.rng.choice(list(arguments)[1:])]
        if not conduct.succeeds():
            name = next(iter(arguments))
            arguments[name] = arguments[name] + 1 if isinstance(arguments[name], int) else "unknown"
        hidden = len(thoughts(conduct, "a tool")) // 4 if conduct.reasons_everywhere else 0
        return Answer(calls=(ToolCall(self.name, orjson.dumps(arguments).decode()),), hidden_tokens=hidden)

    def score(self, _text: str, calls: Sequence[Mapping[str, Any]], /) -> float:
        """1 for exactly this one call."""
        return float(len(calls) == 1 and call_parts(calls[0]) == (self.name, self.arguments))

    def _described(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.arguments.items())


def draw(world: World, rng: Random) -> Request:
    """A wish that a tool fulfils, with the application's tools."""
    values = {
        "people": rng.randint(3, 40),
        "building": rng.choice(BUILDINGS),
        "day": f"{rng.randint(2026, 2027)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "minutes": 15 * rng.randint(2, 12),
        "device": rng.choice(_DEVICES),
        "room": rng.randint(100, 499),
        "priority": rng.choice(_PRIORITIES),
    }
    kind = rng.choice(("room", "ticket"))
    return Request(f"{rng.choice(_REQUESTS[kind]).fill(values)}.", {"tools": definitions(world)})


def read(world: World, text: str) -> ToolUse | None:
    """The wish in a text, None where there is none."""
    for kind, templates in _REQUESTS.items():
        for template in templates:
            if (values := template.read(text)) is not None:
                arguments = {n: int(values[n]) if n in _INTEGERS else values[n] for n in _ARGUMENTS[kind]}
                return ToolUse(world.tools[kind], arguments)
    return None


def definitions(world: World) -> list[dict[str, Any]]:
    """The application's tools in OpenAI's shape."""
    return [_definition(world.tools[kind], arguments) for kind, arguments in _ARGUMENTS.items()]


def _definition(name: str, arguments: tuple[str, ...]) -> dict[str, Any]:
    properties = {argument: {"type": "integer" if argument in _INTEGERS else "string"} for argument in arguments}
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(arguments),
        "additionalProperties": False,
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}
