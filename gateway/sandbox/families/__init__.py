"""The task families: each draws tasks for the application, and reads back what it drew from any text."""

from collections.abc import Callable, Mapping
from random import Random
from typing import NamedTuple

from gateway.sandbox.families import arithmetic, choice, classification, extraction, knowledge, tools
from gateway.sandbox.families.base import Problem, Request
from gateway.sandbox.rules import Family
from gateway.sandbox.worlds import World


class Maker(NamedTuple):
    """How a family's tasks are drawn and recognised."""

    draw: Callable[[World, Random], Request]
    read: Callable[[World, str], Problem | None]


FAMILIES: Mapping[Family, Maker] = {
    "choice": Maker(choice.draw, choice.read),
    "classification": Maker(classification.draw, classification.read),
    "extraction": Maker(extraction.draw, extraction.read),
    "tools": Maker(tools.draw, tools.read),
    "arithmetic": Maker(arithmetic.draw, arithmetic.read),
    "knowledge": Maker(knowledge.draw, knowledge.read),
}


def recognise(world: World, text: str) -> Problem | None:
    """The problem that a text poses, or None: then it is conversation, a correction, or something of another world."""
    for maker in FAMILIES.values():
        if (problem := maker.read(world, text)) is not None:
            return problem
    return None


__all__ = ["FAMILIES", "Maker", "Problem", "Request", "recognise"]
