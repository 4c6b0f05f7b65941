"""Answers that do not fit what was asked for: repaired on the spot, or asked for again once.

A repair changes nothing but words that were to be JSON and are none; whether the result fits is for the validators.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from policies.outcome.answer import Answer
from policies.strategy.json_text import value_in
from policies.strategy.tactic import Ask, Heard, Numbers, Present, Step, Tactic

_WORDS = frozenset({"content", "text", "arguments"})  # what endpoints call an answer's words and a call's arguments


def mended(body: bytes, answer: Answer, *, structured: bool) -> tuple[bytes, Answer] | None:
    """An answer and its body with their JSON repaired; None where there is nothing to repair.

    Args:
        body: as the provider sent it.
        answer: what was read from it.
        structured: the answer's text was to be JSON; arguments of calls always are.
    """
    texts = [call["arguments"] for call in answer.tool_calls]
    if structured:
        texts.append(answer.text)
    changes = {text: better for text in texts if (better := _repaired(text)) is not None}
    if not changes:
        return None
    calls = [{**call, "arguments": changes.get(call["arguments"], call["arguments"])} for call in answer.tool_calls]
    repaired = replace(answer, text=changes.get(answer.text, answer.text), tool_calls=calls)
    return orjson.dumps(_replaced(orjson.loads(body), changes)), repaired


def _repaired(text: str) -> str | None:
    """The JSON that the text means; None where it is JSON, or means none."""
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        value = value_in(text)
    else:
        return None
    return orjson.dumps(value).decode() if value is not None else None


def _replaced(value: Any, changes: Mapping[str, str]) -> Any:
    if type(value) is dict:
        return {
            name: changes.get(inner, inner) if type(inner) is str and name in _WORDS else _replaced(inner, changes)
            for name, inner in value.items()
        }
    return [_replaced(inner, changes) for inner in value] if type(value) is list else value


class Corrected:
    """A tactic whose answer, where it is not valid, is asked for again once, with the validators' words.

    It presents only what was heard of, for a stream that has begun can't be taken back.
    """

    def __init__(self, within: Tactic, numbers: Numbers) -> None:
        self._within = within
        self._numbers = numbers
        self._heard: dict[int, Heard] = {}
        self._wanted: int | None = None  # what the client is to get
        self._again: Ask | None = None

    @property
    def scores(self) -> Mapping[str, float]:
        """Those of the tactic."""
        return self._within.scores

    def begin(self) -> list[Step]:
        """The tactic's first steps."""
        return self._passed(self._within.begin())

    def heard(self, heard: Heard) -> list[Step]:
        """The second answer where it is valid, else the first."""
        self._heard[heard.number] = heard
        if self._again is not None and heard.number == self._again.number:
            good = heard.answer is not None and heard.valid
            assert self._wanted is not None
            return [Present(heard.number if good else self._wanted)]
        return self._passed(self._within.heard(heard))

    def late(self) -> list[Step]:
        """As the tactic says."""
        return self._passed(self._within.late())

    def _passed(self, steps: list[Step]) -> list[Step]:
        for step in steps:
            if isinstance(step, Present):
                self._wanted = step.number
        rest = [step for step in steps if not isinstance(step, Present)]
        return [*rest, *self._due()]

    def _due(self) -> list[Step]:
        """What is due now that a call is to be presented: nothing before it was heard of."""
        heard = self._heard.get(self._wanted) if self._wanted is not None and self._again is None else None
        if heard is None:
            return []
        if heard.answer is None or heard.valid:
            return [Present(heard.number)]
        self._again = self._numbers.ask("repair", about=heard.number)
        return [self._again]
